"""``netkit key install``: which key, what is added, and how it is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netkit.cli.lifecycle import run_job
from netkit.cli.main import PROGRAM
from netkit.cli.profile import resolve as profiles
from netkit.cli.services import Services
from netkit.cli.terminal import TerminalPrompter
from netkit.doctor.answers import Answers
from netkit.doctor.session import Access
from netkit.engine.transport.keys import PublicKeyFile, locked, read_content
from netkit.engine.transport.signatures import public_blob
from netkit.errors import KeyFileError, NetkitError, UsageError
from netkit.keys import authorize, formats, install
from netkit.keys.authorize import Wanted
from netkit.model import Fix
from netkit.text.fingerprints import key_type, sha256_fingerprint
from netkit.text.public_keys import find_keys

if TYPE_CHECKING:
    from netkit.cli.output import Output
    from netkit.keys.install import Installed
    from netkit.model import Plan, TunnelSpec
    from netkit.prompt import Prompter


_CIRCULAR = (("ssh-copy-id",), ("ssh-keygen",))
"""What a failed login advises elsewhere, and what is being done here."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for; ``key`` is None where ssh's first one is meant.

    ``password_of`` is the profile whose stored password is for this login; empty for none.
    """

    spec: TunnelSpec
    key: Path | None
    restrict: bool
    permit_open: tuple[str, ...]
    permit_listen: tuple[str, ...]
    replace: bool
    remote_file: str
    dry_run: bool
    password_stdin: bool
    password_of: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The key to install.

    Attributes:
        path: what proves it: the private half, or the public one of a key in an agent.
        blob, comment: the public half.
        agent: only an agent can sign with it.
    """

    path: Path
    blob: bytes
    comment: str
    agent: bool


def run(
    services: Services | None, output: Output, gateway: str | None, values: dict[str, Any]
) -> int:
    """Install a key as the command line says.

    Raises:
        NetkitError: it was not added, or does not log in.
    """
    named: tuple[Path, ...] = values["identity"]
    _check(values)
    key = named[0].expanduser() if named else None
    # -i is what is installed: the login before goes as ever, and offers it besides
    asked = profiles.wish(gateway, (), {**values, "expose": False, "identity": ()})
    if asked is None:
        raise UsageError(
            "no gateway is named",
            code="no-gateway",
            cause="netkit needs to know where the key shall log in: [user@]host[:port]",
            fixes=(Fix((PROGRAM, "key", "install", "me@gateway.example")),),
        )
    request = Request(
        spec=replace(asked.spec, forwards=()),
        key=key,
        restrict=values["restrict"],
        permit_open=values["permit_open"],
        permit_listen=values["permit_listen"],
        replace=values["replace"],
        remote_file=values["remote_file"] or "",
        dry_run=values["dry_run"],
        password_stdin=values["password_stdin"],
        password_of=asked.password_of,
    )
    return run_job(InstallJob(request, services or Services(), output))


def _check(values: dict[str, Any]) -> None:
    if len(values["identity"]) > 1:
        raise UsageError(
            "one key is installed at a time", code="many-keys", cause="-i is there twice"
        )
    if not values["restrict"] and (values["permit_open"] or values["permit_listen"]):
        raise UsageError(
            "--permit-open and --permit-listen go with --restrict",
            code="permit-without-restrict",
            cause="without it the key may do everything anyway",
            fixes=(Fix((PROGRAM, "key", "install", "...", "--restrict")),),
        )


class InstallJob:
    """Installs and proves; a `netkit.cli.lifecycle.Job`."""

    def __init__(self, request: Request, services: Services, output: Output) -> None:
        self._request = request
        self._services = services
        self._output = output
        self._terminal = TerminalPrompter()
        self._cancelled = threading.Event()

    def stop(self, drain: float) -> None:
        """End it soon; from any thread."""
        del drain
        self._terminal.cancel()
        self._cancelled.set()

    def work(self) -> int:
        """Do it and return the exit code."""
        from netkit.cli import debugging

        debugging.keep_quiet()
        request, output = self._request, self._output
        plan = self._services.plan(request.spec)
        for warning in plan.warnings:
            output.talk(warning)
        prompter = Answers(self._terminal) if self._terminal.has_terminal() else None
        subject = find_subject(request.key, plan, prompter)
        wanted = self._wanted(subject, "")
        if request.dry_run:
            return self._show_plan(plan, subject, wanted)
        access = Access(
            plan=_offering(plan, subject),
            prompter=prompter,
            password=profiles.login_password(
                stdin=request.password_stdin, profile=request.password_of
            ),
            cancelled=self._cancelled,
            notice=lambda _code, text: output.talk(text),
        )
        path = subject.path
        try:
            installed = install.install(access, path, lambda server: self._wanted(subject, server))
        except NetkitError as error:
            error.fixes = tuple(_ours(fix) for fix in error.fixes if fix.argv[:1] not in _CIRCULAR)
            raise
        self._tell(plan, subject, installed)
        how = install.prove(access, path, installed, agent=subject.agent)
        output.data(f"this key alone logs in to {plan.hops[-1].alias} ({how})")
        return 0

    def _wanted(self, subject: Subject, server: str) -> Wanted:
        request = self._request
        given = ""
        if request.restrict:
            given = authorize.restriction(server, request.permit_open, request.permit_listen)
        return Wanted(
            blob=subject.blob,
            comment=subject.comment,
            options=given,
            replace=request.replace,
            file=request.remote_file,
        )

    def _show_plan(self, plan: Plan, subject: Subject, wanted: Wanted) -> int:
        hop = plan.hops[-1]
        output = self._output
        output.data(f"key      {subject.path} {sha256_fingerprint(subject.blob)}")
        output.data(f"gateway  {hop.user}@{hop.host}:{hop.port}")
        output.data(f"file     {wanted.file or 'the one its sshd reads'}")
        output.data(f"line     {wanted.line}")
        output.data("then     a login with this key alone")
        return 0

    def _tell(self, plan: Plan, subject: Subject, installed: Installed) -> None:
        answer = installed.answer
        for each in answer.repaired:
            path, _, mode = each.rpartition(" ")
            self._output.talk(
                f"permissions of {path} were {mode}, which sshd may object to: mended"
            )
        what = {"added": "added to", "updated": "given these options in"}.get(
            answer.outcome, "there already in"
        )
        shown = sha256_fingerprint(subject.blob)
        self._output.data(f"{shown} {what} {answer.file} on {plan.hops[-1].alias}")
        if answer.outcome == "present" and answer.options and not self._request.restrict:
            self._output.talk(f"it has options there, which stay: {answer.options}")
        if self._request.restrict and not self._request.permit_open:
            self._output.talk("it may connect from there to anywhere; --permit-open limits that")
        if self._request.restrict and not self._request.permit_listen:
            self._output.talk("it may listen there on any port; --permit-listen limits that")


def _ours(fix: Fix) -> Fix:
    """Return a fix that says ``netkit forward ...`` for this command."""
    if fix.argv[:3] != (PROGRAM, "forward", "..."):
        return fix
    return replace(fix, argv=(PROGRAM, "key", "install", *fix.argv[2:]))


def find_subject(key: Path | None, plan: Plan, prompter: Prompter | None) -> Subject:
    """Return the key to install: ``key``, or the first one of the plan.

    Raises:
        KeyFileError, UsageError: there is none, or it is of no use for this.
    """
    # ssh reads the account's home, and `key new` writes to that of the environment
    usual = (Path(f"~/.ssh/id_{kind}").expanduser() for kind in ("ed25519", "ecdsa", "rsa"))
    candidates = (*plan.hops[-1].identities, *usual)
    path = key or next((each for each in candidates if each.exists()), None)
    if path is None:
        raise UsageError(
            "there is no key to install",
            code="no-key",
            cause="no -i names one, and ~/.ssh holds none of the names that ssh offers",
            fixes=(Fix((PROGRAM, "key", "new")),),
        )
    try:
        file = formats.read_key(path)
    except KeyFileError as error:
        public = Path(f"{path}.pub")
        if error.code != "key-needs-agent" or not public.exists():
            raise
        file = formats.read_key(public)
    if isinstance(file, PublicKeyFile):
        return _from_public(file)
    if not file.protected:
        raise KeyFileError(
            f"{path} can be read by other users",
            code="key-permissions",
            cause="ssh and netkit refuse to log in with it",
            fixes=(Fix(("chmod", "600", str(path))),),
        )
    blob, comment = file.public, file.comment
    if not blob:
        answer = prompter.secret(f"Enter passphrase for key '{path}': ") if prompter else None
        if answer is None:
            raise locked(path)
        opened, comment = file.unlock(answer)
        blob = public_blob(opened)
    return Subject(path, blob, comment or path.name, file.encrypted and prompter is None)


def _from_public(file: PublicKeyFile) -> Subject:
    if install.is_certificate(file.blob):
        raise UsageError(
            f"{file.path} is a certificate",
            code="key-is-certificate",
            cause="a gateway takes certificates by trusting who signed them (TrustedUserCAKeys)",
        )
    private = file.path.with_suffix("")
    if file.path.suffix == ".pub" and private.exists() and not _in_hardware(file.blob):
        whole = formats.read_private(private)
        if whole.public and whole.public != file.blob:
            raise KeyFileError(
                f"{file.path} is not the public half of {private}",
                code="key-pair-mismatch",
                cause="the pair was mixed up when it was copied",
            )
        return Subject(private, file.blob, _comment(file.path), agent=False)
    return Subject(file.path, file.blob, _comment(file.path), agent=True)


def _in_hardware(blob: bytes) -> bool:
    """Whether the file of the private half is but a handle of a security key."""
    return key_type(blob).startswith("sk-")


def _comment(path: Path) -> str:
    content, _ = read_content(path)
    found = find_keys(content.decode("utf-8", "replace"))
    return found[0].comment if found else ""


def _offering(plan: Plan, subject: Subject) -> Plan:
    """Return the plan of the first login: as ever, and with this key, should it be there."""
    last = plan.hops[-1]
    if subject.path in last.identities:
        return plan
    return replace(
        plan, hops=(*plan.hops[:-1], replace(last, identities=(subject.path, *last.identities)))
    )
