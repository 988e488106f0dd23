"""``netkit up``: saved tunnels in the foreground, several at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from netkit.cli import lasting, options
from netkit.cli.detaching import Detacher, detach, detach_option, second
from netkit.cli.lifecycle import run_job
from netkit.cli.main import META_OUTPUT, META_STAY_DOWN, PROGRAM, debug_option
from netkit.cli.naming import Naming
from netkit.cli.observing import observe_options, onlookers
from netkit.cli.output import Output, OutputError
from netkit.cli.profile.resolve import complete_name
from netkit.cli.services import Services
from netkit.cli.terminal import TerminalPrompter
from netkit.cli.tunnel_job import Companion, Request, RunningJob, TunnelJob
from netkit.errors import NetkitError, UsageError
from netkit.model import Fix, Profile

if TYPE_CHECKING:
    from netkit.cli.again import Typed
    from netkit.prompt import HostKeyQuestion

_EPILOG = """\b
Examples:
  netkit up office                       until Ctrl-C
  netkit up office home                  both; one that fails does not end the other
  netkit up                              the default profile

Lines of several profiles begin with the profile's name. Ctrl-C lets open flows finish, a second
one ends at once. SIGHUP reads the profiles again: forwards that are new begin, those that are gone
end, and the others stay.

\b
Exit codes: those of netkit forward; of several profiles, that of the first that failed. With
--stay-down 0 instead of 2, 5 and 6.
"""


class TurnTaker(TerminalPrompter):
    """Asks for several tunnels, one question at a time, and about a host key once."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()
        self._trusted: set[HostKeyQuestion] = set()

    def named(self, name: str) -> NamedPrompter:
        """Return what asks for the tunnel ``name``."""
        return NamedPrompter(self, name)

    def secret(self, prompt: str) -> str | None:
        """Ask without echo when it is our turn."""
        with self._turn:
            return super().secret(prompt)

    def answer(self, prompt: str) -> str | None:
        """Ask with echo when it is our turn."""
        with self._turn:
            return super().answer(prompt)

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask about a host key when it is our turn, unless another tunnel was trusted with it."""
        with self._turn:
            if question in self._trusted:
                return True
            trusted = super().trust_host_key(question)
            if trusted:
                self._trusted.add(question)
            return trusted


class NamedPrompter(TerminalPrompter):
    """Asks through another prompter, and says for which tunnel."""

    def __init__(self, turns: TurnTaker, name: str) -> None:
        super().__init__()
        self._turns = turns
        self._name = name

    def cancel(self) -> None:
        """End what is asked, by any of the tunnels: they end together."""
        self._turns.cancel()

    def secret(self, prompt: str) -> str | None:
        """Ask without echo."""
        return self._turns.secret(f"{self._name}: {prompt}")

    def answer(self, prompt: str) -> str | None:
        """Ask with echo."""
        return self._turns.answer(f"{self._name}: {prompt}")

    def show(self, text: str) -> None:
        """Show what the gateway says."""
        self._turns.show(text)

    def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask about a host key, which names its gateway."""
        return self._turns.trust_host_key(question)


@dataclass(frozen=True, slots=True)
class Member:
    """One tunnel of several."""

    name: str
    job: RunningJob
    output: Output
    typed: Typed | None = None


class UpJob:
    """Runs several tunnels until all have ended."""

    def __init__(self, members: Sequence[Member], detacher: Detacher | None = None) -> None:
        self._members = members
        self._detacher = detacher
        self._lock = threading.Lock()
        self._code = 0

    def work(self) -> int:
        """Return the exit code of the first that failed, once all have ended."""
        threads = [
            threading.Thread(target=self._one, args=(member,), name=f"netkit-up-{member.name}")
            for member in self._members
        ]
        for thread in threads:
            thread.daemon = True
            thread.start()
        for thread in threads:
            thread.join()
        return self._code

    def stop(self, drain: float) -> None:
        """End all of them within ``drain`` seconds."""
        threads = [
            threading.Thread(target=member.job.stop, args=(drain,), daemon=True)
            for member in self._members
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one(self, member: Member) -> None:
        """Run one; what is no error of its own (nobody reads, a bug) leaves the thread."""
        try:
            self._ended(member.job.work())
        except OutputError:
            raise
        except NetkitError as error:
            self._ended(error.exit_code)
            _expand(error, member.typed)
            member.output.error(error, command=f"{PROGRAM} up {member.name}")
            if self._detacher is not None:
                self._detacher.failed(error.exit_code)

    def _ended(self, code: int) -> None:
        with self._lock:
            self._code = self._code or code


@click.command("up", short_help="Start saved tunnels.", epilog=_EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=complete_name)
@options.password_option
@lasting.endurance_options
@lasting.limit_options
@observe_options
@detach_option
@click.option("--expose", is_flag=True, help="Allow --metrics where other machines can connect.")
@click.option("--no-launch", is_flag=True, help="Start no program with the tunnel.")
@click.option(
    "--once",
    is_flag=True,
    help="If it runs already, only start its program again.",
)
@click.option(
    "--stay-down",
    is_flag=True,
    help="End with 0 after what only a person can mend: a service is not started again.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print events as NDJSON, nothing else.")
@lasting.drain_option()
@click.option("-v", "--verbose", is_flag=True, help="Show every flow.")
@debug_option
@click.pass_context
def command(ctx: click.Context, /, names: tuple[str, ...], **values: Any) -> int:
    """Start the profiles NAME, which 'netkit profile save' saved, and carry connections.

    Without NAME it is the default profile.
    """
    ctx.meta[META_OUTPUT] = _output(values)
    ctx.meta[META_STAY_DOWN] = values["stay_down"]
    profiles = _profiles(names)
    if values["password_stdin"] and len(profiles) > 1:
        raise UsageError(
            "--password-stdin goes with one profile",
            code="bad-combination",
            cause="there is one password on standard input; the keyring holds one for each",
        )
    services = ctx.obj or Services()
    values["detacher"] = None
    if values["detach"] and not values["dry_run"]:
        found = [each.name for each in profiles]
        values["detacher"] = second(found)
        if values["detacher"] is None:
            return detach(found, ctx.meta[META_OUTPUT])
    values["onlookers"] = onlookers(values, command="up")
    if values["once"] and not values["dry_run"]:
        from netkit.cli.clients import instances

        with instances.once(profiles, ctx.meta[META_OUTPUT]) as once:
            if not once.left:
                return instances.show_again(
                    () if values["no_launch"] else once.others, ctx.meta[META_OUTPUT]
                )
            values["present"] = once.present
            return _run(ctx, once.left, services, values)
    return _run(ctx, profiles, services, values)


def _output(values: dict[str, Any], tag: str = "") -> Output:
    return Output(
        as_json=values["as_json"],
        verbose=values["verbose"],
        tag=tag,
        log_json=values["log_format"] == "json",
    )


def _run(
    ctx: click.Context, profiles: Sequence[Profile], services: Services, values: dict[str, Any]
) -> int:
    if len(profiles) == 1:
        profile = profiles[0]
        ctx.meta[options.META_TYPED] = _typed(profile)
        job = _job(profile, values, services, ctx.meta[META_OUTPUT])
        reread = _reread([(profile.name, job)], values, ctx.meta[META_OUTPUT])
        return run_job(job, drain=values["drain"], reread=reread)
    members = _members(profiles, services, values)
    return run_job(
        UpJob(members, values["detacher"]),
        drain=values["drain"],
        reread=_reread([(each.name, each.job) for each in members], values, ctx.meta[META_OUTPUT]),
    )


def _reread(
    jobs: Sequence[tuple[str, RunningJob]], values: dict[str, Any], output: Output
) -> Callable[[], None]:
    """Return what reads the profiles again, for SIGHUP."""

    def reread() -> None:
        from netkit import profiles

        for name, job in jobs:
            try:
                job.reread(_request(profiles.get(name), values).spec)
            except NetkitError as error:  # the tunnel goes on as it was
                output.error(error, command=f"{PROGRAM} up {name}")

    return reread


def _members(
    profiles: Sequence[Profile], services: Services, values: dict[str, Any]
) -> list[Member]:
    turns = TurnTaker()
    members = []
    for profile in profiles:
        output = _output(values, profile.name)
        job = _job(profile, values, services, output, turns.named(profile.name))
        members.append(Member(profile.name, job, output, _typed(profile)))
    return members


def _job(
    profile: Profile,
    values: dict[str, Any],
    services: Services,
    output: Output,
    prompter: TerminalPrompter | None = None,
) -> RunningJob:
    request = _request(profile, values)
    looking = values["onlookers"]
    watcher = looking.of(profile.name) if looking is not None else None
    companions = _companions(profile, values, output)
    if not companions:
        return TunnelJob(request, services, output, prompter=prompter, watcher=watcher)
    from netkit.cli.clients.launching import accompanied

    return accompanied(request, services, output, companions, prompter, watcher)


def _profiles(names: Sequence[str]) -> list[Profile]:
    from netkit import profiles
    from netkit.cli.profile.resolve import default_profile

    if names:
        known = profiles.load()
        return [known.find(name) or profiles.get(name) for name in dict.fromkeys(names)]
    found = default_profile()
    if found is None:
        raise UsageError(
            "no profile is named, and none is the default",
            code="no-profile",
            cause=f"{PROGRAM} up starts saved tunnels",
            fixes=(
                Fix((PROGRAM, "profile", "list")),
                Fix((PROGRAM, "profile", "default", "NAME"), note="makes one the default"),
                Fix((PROGRAM, "profile", "save", "--help"), note="saves one"),
            ),
        )
    return [found]


def _request(profile: Profile, values: dict[str, Any]) -> Request:
    present = values.get("present", {})
    return Request(
        spec=replace(
            profile.tunnel,
            endurance=lasting.endurance(values, profile.tunnel.endurance),
            limits=lasting.limits(values, profile.tunnel.limits),
            via=lasting.via(values["via"]) or profile.tunnel.via,
        ),
        auto_keepalive=profile.keepalive_auto,
        counted=profile.tunnel.keepalive is not None,
        password_stdin=values["password_stdin"],
        password_of=profile.name,
        dry_run=values["dry_run"],
        drain=values["drain"],
        naming=Naming(
            profile.name,
            is_profile=True,
            launch=profile.launch,
            claim=present[profile.name].claim if profile.name in present else None,
        ),
    )


def _companions(profile: Profile, values: dict[str, Any], output: Output) -> Sequence[Companion]:
    """Return what goes with the tunnel of ``profile``."""
    present = values.get("present", {})
    company: tuple[Companion, ...] = (present[profile.name],) if profile.name in present else ()
    if values["detacher"] is not None:
        company = (*company, values["detacher"])
    if not profile.launch or values["no_launch"] or values["dry_run"]:
        return company
    from netkit.cli.clients.launching import companions_of

    return (*company, *companions_of(profile, output))


def _typed(profile: Profile) -> Typed:
    """Return the command that does the same and takes options, for errors that add one."""
    from netkit.cli.again import Typed
    from netkit.text.profiles.words import words

    forward = (PROGRAM, "forward")
    return Typed(forward, (profile.name,), profile.tunnel.forwards, words(profile))


def _expand(error: NetkitError, typed: Typed | None) -> None:
    from netkit.cli.again import expand

    with contextlib.suppress(UsageError):
        error.fixes = tuple(expand(fix, typed) for fix in error.fixes)
