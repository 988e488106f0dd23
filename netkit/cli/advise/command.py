"""``netkit advise``: which kind of tunnel fits, why, and its configuration files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import options
from netkit.cli.main import META_OUTPUT, PROGRAM, debug_option
from netkit.cli.output import Output
from netkit.errors import UsageError
from netkit.model import Fix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netkit.advise.model import Advice, Answers, Recipe, System, Technology
    from netkit.advise.questions import Question
    from netkit.cli.advise.check import Checked

NEEDS = ("tcp", "web", "network", "udp", "host-to-lan", "lan-to-lan")
ROOTS = ("none", "here", "gateway", "both")
SYSTEMS = ("linux", "macos", "windows", "other")
PEERS = ("none", "wireguard", "openvpn", "ipsec", "zebedee")
TECHNOLOGIES = (
    *("tcp-forward", "socks", "sshuttle", "wireguard", "openvpn"),
    *("ipsec-one", "ipsec-four", "ssh-tun", "ppp-ssh", "zebedee"),
)

_EPILOG = """\b
Examples:
  netkit advise                                     asks a few questions
  netkit advise --need udp --root both              says which and why
  netkit advise --need lan-to-lan --root both --gateway me@gw.example
      --local-net 192.168.1.0/24 --remote-net 10.1.0.0/16 --write tunnel

Keys are made only for files that are written: what is printed has placeholders. Files are read by
the real programs where these are installed, and what was checked is said.

\b
Exit codes: 0 something fits, 1 nothing does, 2 usage or missing answers, 3 a program found a
fault in a file (nothing is written then).
"""


@click.command(
    "advise",
    cls=options.RememberingCommand,
    short_help="Which kind of tunnel fits, why, and its configuration files.",
    epilog=_EPILOG,
)
@click.option("--need", type=click.Choice(NEEDS), help="What is to be reached, and by whom.")
@click.option("--root", type=click.Choice(ROOTS), help="Where you may work as administrator.")
@click.option("--udp-blocked/--udp-passes", default=None, help="Does UDP get to the gateway?")
@click.option("--no-ssh", is_flag=True, help="There is no SSH login on the gateway.")
@click.option("--os", "system", type=click.Choice(SYSTEMS), help="This side's (default: this).")
@click.option("--gateway-os", type=click.Choice(SYSTEMS), help="The gateway's (default: linux).")
@click.option("--peer", type=click.Choice(PEERS), help="What the other side has and insists on.")
@click.option("--use", type=click.Choice(TECHNOLOGIES), help="This one, if it fits.")
@click.option("--gateway", metavar="GATEWAY", help="SSH login: [user@]host[:port].")
@click.option("--gateway-address", metavar="ADDRESS", help="The gateway as seen from here.")
@click.option("--local-address", metavar="ADDRESS", help="This side's own, if it is fixed.")
@click.option("--local-net", multiple=True, metavar="CIDR", help="A network on this side.")
@click.option("--remote-net", multiple=True, metavar="CIDR", help="A network beyond the gateway.")
@click.option("--to", multiple=True, metavar="HOST:PORT", help="A service beyond the gateway.")
@click.option("--tunnel-net", metavar="CIDR", help="Addresses inside the tunnel (a free /30).")
@click.option("--port", type=click.IntRange(1, 65535), help="Where the gateway listens.")
@click.option("--name", metavar="NAME", help="Of interface and files (default netkit0).")
@click.option(
    "--write", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the files there."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **values: Any) -> int:
    """Say which kind of tunnel fits, why, and what the others lack; write its files.

    What no option answers is asked on the terminal.
    """
    output = Output(as_json=values["as_json"])
    ctx.meta[META_OUTPUT] = output
    return Adviser(values, output).run()


class Adviser:
    """Collects answers, decides, makes the recipe, has it checked, and shows or writes it."""

    def __init__(self, values: dict[str, Any], output: Output) -> None:
        self._output = output
        self._folder: Path | None = values["write"]
        self._use: str | None = values["use"]
        self._given = given(values)
        self._ask = _asker(values)
        self._told = False  # whether the advice itself was shown

    def run(self) -> int:
        """Return the exit code; errors are raised."""
        from netkit.advise import questions
        from netkit.advise.choose import choose
        from netkit.advise.model import Need, Technology

        self._check_folder()
        self._complete(lambda: questions.undecided(self._given, ask=self._ask is not None))
        found = questions.answers(self._given, here())
        advice = choose(found)
        technology = self._chosen(advice)
        if technology is None:
            self._show(advice, None)
            return 1
        need = Need(found.need)
        missing = questions.unaddressed(technology, need, self._given, ask=self._ask is not None)
        if missing and not self._wants_files():
            self._show(advice, technology, missing=missing)
            if self._ask is None or self._ask(questions.QUESTIONS["files"]) == ("no",):
                return 0
            self._told = True
        self._complete(
            lambda: questions.unaddressed(
                Technology(technology), need, self._given, ask=self._ask is not None
            )
        )
        return self._finish(advice, technology, found)

    def _wants_files(self) -> bool:
        """Whether addresses were begun with; else there is advice first."""
        about = ("gateway", "gateway-address", "local-net", "remote-net", "to", "local-address")
        return self._folder is not None or any(name in self._given for name in about)

    def _chosen(self, advice: Advice) -> Technology | None:
        from netkit.advise.model import Technology

        if self._use is None:
            best = advice.best
            return best.technology if best is not None else None
        verdict = advice.of(Technology(self._use))
        if not verdict.fits:
            raise UsageError(
                f"{verdict.technology.title} does not fit",
                code="does-not-fit",
                cause=f"it {'; it '.join(verdict.lacks)}",
                fixes=(Fix((PROGRAM, "advise", "..."), note="without --use: what does"),),
            )
        return verdict.technology

    def _complete(self, missing: Any) -> None:
        """Have what is missing answered; without a terminal that is an error naming it."""
        questions: Sequence[Question] = missing()
        if questions and self._ask is None:
            raise _unanswered(questions)
        while questions and self._ask is not None:
            self._given[questions[0].name] = self._ask(questions[0])
            questions = missing()

    def _finish(self, advice: Advice, technology: Technology, found: Answers) -> int:
        from netkit.advise import questions
        from netkit.advise.keys import make_keys, placeholders
        from netkit.advise.write import recipe
        from netkit.cli.advise.check import BROKEN, check

        keys = make_keys()
        sites = questions.sites(technology, found, self._given, keys)
        made = recipe(technology, sites, keys)
        checked = check(made)
        broken = [each for each in checked if each.result == BROKEN]
        if self._folder is not None and not broken:
            _write(self._folder, made)
        # what is shown may be copied into a ticket: never with the keys
        shown = recipe(technology, sites, placeholders())
        self._show(advice, technology, made=shown, checked=checked, written=not broken)
        if broken:
            raise AdviceError(broken)
        return 0

    def _show(
        self,
        advice: Advice,
        technology: Technology | None,
        *,
        missing: Sequence[Question] = (),
        made: Recipe | None = None,
        checked: Sequence[Checked] = (),
        written: bool = False,
    ) -> None:
        from netkit.advise.questions import assumed
        from netkit.cli.advise import text as advise_text

        shown = advise_text.Shown(
            advice=advice,
            technology=technology,
            assumed=assumed(self._given, advice.answers),
            missing=tuple(each.option for each in missing),
            recipe=made,
            checked=tuple(checked),
            folder=str(self._folder) if self._folder is not None and written else "",
            told=self._told,
        )
        if self._output.as_json:
            self._output.document(advise_text.document(shown))
        else:
            for line in advise_text.lines(shown):
                self._output.data(line)

    def _check_folder(self) -> None:
        """Refuse early what could not be written without losing something."""
        folder = self._folder
        if folder is None:
            return
        try:
            taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder} cannot be used: {error}", code="cannot-write") from None
        if taken:
            raise UsageError(
                f"{folder} is there already and not an empty folder",
                code="folder-not-empty",
                cause="new keys would take the place of those that may be in use",
                fixes=(Fix((PROGRAM, "advise", "...", "--write", f"{folder}-2")),),
            )


class AdviceError(UsageError):
    """A program found a fault in a file that was made for it."""

    exit_code = 3
    default_code = "file-broken"

    def __init__(self, broken: Sequence[Checked]) -> None:
        first = broken[0]
        super().__init__(
            f"{first.program} does not take {first.path}; nothing was written",
            cause=first.detail or "it did not say why",
            fixes=(Fix((PROGRAM, "advise", "...", "--use", "TECHNOLOGY"), note="another one"),),
        )


def given(values: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the answers that the options gave, by the names of the questions."""
    found: dict[str, tuple[str, ...]] = {}
    for name, option in (
        *(("need", "need"), ("root", "root"), ("os", "system"), ("gateway-os", "gateway_os")),
        *(("peer", "peer"), ("gateway", "gateway"), ("gateway-address", "gateway_address")),
        *(("local-address", "local_address"), ("tunnel-net", "tunnel_net"), ("name", "name")),
        ("port", "port"),
    ):
        if values[option] is not None:
            found[name] = (str(values[option]),)
    for name, option in (("local-net", "local_net"), ("remote-net", "remote_net"), ("to", "to")):
        if values[option]:
            found[name] = tuple(values[option])
    if values["udp_blocked"] is not None:
        found["udp"] = ("no" if values["udp_blocked"] else "yes",)
    if values["no_ssh"]:
        found["ssh"] = ("no",)
    return found


def here() -> System:
    """Return this machine's system."""
    from netkit.advise.model import System

    known = {"linux": System.LINUX, "darwin": System.MACOS, "win32": System.WINDOWS}
    return known.get(sys.platform, System.OTHER)


def _asker(values: dict[str, Any]) -> Any:
    """Return what asks a question on the terminal; None where there is nobody to ask."""
    from netkit.cli.advise.ask import Interview
    from netkit.cli.terminal import TerminalPrompter

    if values["as_json"] or not TerminalPrompter.has_terminal():
        return None
    return Interview(TerminalPrompter()).ask


def _unanswered(questions: Sequence[Question]) -> UsageError:
    names = [question.option for question in questions]
    words = []
    for question in questions:
        words += [question.option, question.choices[0][0] if question.choices else "…"]
    return UsageError(
        f"not everything that has to be known was said: {', '.join(names)}",
        code="answers-missing",
        cause="without a terminal nothing can be asked",
        fixes=(Fix((PROGRAM, "advise", "...", *words), note=f"see {PROGRAM} advise --help"),),
    )


def _write(folder: Path, made: Recipe) -> None:
    """Write the files, each the user's alone.

    Raises:
        UsageError: one cannot be written.
    """
    from netkit.advise.write import readme
    from netkit.files import write_private

    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for side in {file.side for file in made.files}:
            (folder / side).mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{folder} cannot be made: {reason}",
            code="cannot-write",
            cause="the folder above it is missing or not yours, or the disk is full",
        ) from None
    for file in made.files:
        write_private(folder / file.path, file.text.encode())
    write_private(folder / "README.txt", readme(made).text.encode())
