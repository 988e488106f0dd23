"""Values to text: errors, events and plans as lines for a person; pure, prints nothing."""

from __future__ import annotations

from typing import Any

from netkit import events
from netkit.errors import (
    AuthenticationError,
    BindError,
    GatewayUnreachableError,
    HostKeyError,
    LinkLostError,
    NetkitError,
    RemoteForwardError,
    UsageError,
)
from netkit.model import (
    Endpoint,
    Endurance,
    Fix,
    ForwardKind,
    ForwardSpec,
    Hop,
    HostKeyPolicy,
    Plan,
)
from netkit.wire.untrusted import printable, printable_lines

PROGRAM = "netkit"
_LONGEST = 2000
"""Characters of one line; what a gateway sends may be longer than anyone wants to read."""

_CAUSES: tuple[tuple[type[NetkitError], str], ...] = (
    (UsageError, "an argument or a configuration file is wrong"),
    (HostKeyError, "the gateway could not prove that it is the one you mean"),
    (AuthenticationError, "user name, key or password is not what the gateway expects"),
    (LinkLostError, "the gateway was shut down, ended the session, or the network cut it"),
    (GatewayUnreachableError, "the gateway is down, or something on the way drops the connection"),
    (BindError, "another program listens there, or the address is not one of this machine"),
    (RemoteForwardError, "the gateway's sshd_config forbids it, or the port is taken there"),
)


def clean(text: str) -> str:
    """Return ``text`` as one printable line of at most 2 000 characters."""
    return printable(text, _LONGEST)


def clean_text(text: str) -> str:
    """Return ``text`` with its line ends and without control characters."""
    return printable_lines(text, limit=_LONGEST)


def error_lines(error: NetkitError, *, command: str = PROGRAM) -> list[str]:
    """Return what failed with its code, the likely cause, and what to run next; one line each.

    An error that names no fix of its own gets ``--help`` of ``command`` or ``--debug``.
    Further fixes follow as lines of their own.
    """
    cause = error.cause or next(
        (text for kind, text in _CAUSES if isinstance(error, kind)), "netkit cannot tell"
    )
    fixes = [fix_text(fix) for fix in error.fixes] or [_default_fix(error, command)]
    return [
        f"{PROGRAM}: {clean(error.summary)} [{clean(error.code)}]",
        f"  cause: {clean(cause)}",
        f"  next:  {fixes[0]}",
        *(f"  or:    {fix}" for fix in fixes[1:]),
    ]


def bug_lines(error: BaseException, *, traceback: str = "") -> list[str]:
    """Return the lines for an exception that nobody expected; with ``traceback`` in front."""
    text = clean(f"{type(error).__name__}: {error}".rstrip(": "))
    following = (
        "report the traceback above"
        if traceback
        else "repeat the command with --debug and report what it prints"
    )
    return [
        *clean_text(traceback).splitlines(),
        f"{PROGRAM}: internal error: {text} [bug]",
        "  cause: a fault in netkit, not in what you asked for",
        f"  next:  {following}",
    ]


def fix_text(fix: Fix) -> str:
    """Return a fix as the command to type, with what else to know about it in brackets."""
    return clean(str(fix))


def _default_fix(error: NetkitError, command: str) -> str:
    if isinstance(error, UsageError):
        return f"{command} --help"
    return "the same command with --debug shows what was tried"


def failure_dict(error: NetkitError) -> dict[str, Any]:
    """Return an error as the document that ``--json`` prints when a command fails."""
    return {
        "event": "failed",
        "code": error.code,
        "summary": error.summary,
        "cause": error.cause,
        "fixes": events.plain(error.fixes),
        "exit_code": error.exit_code,
        "retryable": error.retryable,
    }


def event_line(event: events.Event, *, verbose: bool = False, progress: bool = False) -> str | None:
    """Return the line for ``event``, or ``None`` when a person need not see it.

    ``progress`` shows connecting and login, ``verbose`` that and every flow.
    """
    match event:
        case events.Notice(text=text):
            return clean(text)
        case events.Retrying(attempt=attempt, seconds=seconds, reason=reason):
            what = "link lost" if attempt == 1 else "not connected"
            return clean(f"{what} ({reason}); trying again in {seconds:.1f} s")
        case events.HealthChanged(forward=forward, health=events.Health.REFUSED, reason=reason):
            # what the gateway does not listen on has a notice of its own
            if forward.kind is not ForwardKind.REMOTE:
                return clean(f"forward {forward} does not work: {reason}")
        case events.Stopping(flows=flows, seconds=seconds) if flows and seconds > 0:
            return (
                f"stopping: up to {seconds:g} s for {count(flows, 'open flow')} to finish"
                " (Ctrl-C again ends at once)"
            )
    progress_text = _progress_line(event) if progress or verbose else None
    return progress_text or (_flow_line(event) if verbose else None)


def _progress_line(event: events.Event) -> str | None:
    match event:
        case events.Connecting(gateway=gateway, hop=hop, hops=hops):
            return clean(f"connecting to {gateway}{_hop(hop, hops)} …")
        case events.LinkUp():
            details = [event.cipher, event.mac, event.kex, event.auth]
            if event.compression not in ("", "none"):
                details.append(event.compression)
            known = ", ".join(each for each in details if each not in ("", "implicit"))
            return clean(
                f"logged in to {event.gateway}{_hop(event.hop, event.hops)}"
                f" in {event.seconds:.2f} s ({known})"
            )
    return None


def _flow_line(event: events.Event) -> str | None:
    match event:
        case events.FlowOpened(flow=flow, source=source, target=target):
            return clean(f"flow {flow}: {source} -> {target}")
        case events.FlowClosed(flow=flow):
            end = f": {event.error}" if event.error else ""
            return clean(
                f"flow {flow}: closed after {event.seconds:.1f} s,"
                f" {size(event.bytes_to_gateway)} up,"
                f" {size(event.bytes_from_gateway)} down{end}"
            )
        case events.LinkDown(gateway=gateway, reason=reason):
            return clean(f"link to {gateway} ended: {reason}")
    return flow_failure(event) if isinstance(event, events.FlowFailed) else None


def flow_failure(event: events.FlowFailed) -> str:
    """Return the line for a connection that could not be carried."""
    reason = f": {event.reason}" if event.reason else ""
    route = f"{event.source} -> {event.target}"
    return clean(f"flow {event.flow}: {route} failed{reason} [{event.code}]")


def _hop(hop: int, hops: int) -> str:
    return f" (hop {hop} of {hops})" if hops > 1 else ""


def count(number: int, noun: str) -> str:
    """Return ``1 flow`` or ``2 flows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(number: int) -> str:
    """Return a number of bytes in decimal units: ``10.5 MB``."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def plan_lines(plan: Plan) -> list[str]:
    """Return what a tunnel would do, for ``--dry-run``."""
    from netkit.plan.limits import describe

    lines = ["netkit would"]
    for number, hop in enumerate(plan.hops, start=1):
        lines += _hop_lines(hop, number, len(plan.hops))
    lines += [f"  forward {_route(forward)}" for forward in plan.forwards]
    if plan.x11 is not None:
        lines.append(f"  show X programs of the gateway here ({plan.x11.value})")
    beat = plan.keepalive
    lines.append(
        f"  take the link for lost when the gateway is silent for {beat.interval * beat.count:g} s"
        if beat.interval
        else "  never ask whether the gateway is still there (keepalive is off)"
    )
    lines.append(f"  {_endurance(plan.endurance)}")
    lines += _links(plan)
    lines += [f"  {clean(text)}" for text in describe(plan.limits)]
    lines += [f"warning: {clean(text)}" for text in plan.warnings]
    return lines


def _links(plan: Plan) -> list[str]:
    lines = []
    if plan.ways:
        others = ", ".join(clean(hops[-1].alias) for hops in plan.ways)
        how = "spread the links over" if plan.endurance.spread else "where that fails, go through"
        lines.append(f"  {how} {others}")
    if plan.endurance.links != 1:
        number = plan.endurance.links or "as many as it takes"
        lines.append(f"  share the flows among several links: {number}")
    return lines


def _endurance(endurance: Endurance) -> str:
    if not endurance.reconnect:
        return "end with the link"
    limit = "" if endurance.retries is None else f", up to {count(endurance.retries, 'time')}"
    wait = f"wait up to {endurance.hold:g} s for it" if endurance.hold else "are reset meanwhile"
    return f"make a lost link again{limit}; new connections {wait}"


def _route(forward: ForwardSpec) -> str:
    bind = forward.bind
    if isinstance(bind, Endpoint) and not bind.host:
        bind = Endpoint("localhost", bind.port)
    target = forward.to or "any host"
    if forward.kind is ForwardKind.REMOTE:
        return clean(f"{bind} on the gateway -> {target} through this machine")
    return clean(f"{bind} -> {target} through the gateway")


def _hop_lines(hop: Hop, number: int, total: int) -> list[str]:
    address = Endpoint(hop.host, hop.port)
    alias = f" ({hop.alias})" if hop.alias != hop.host else ""
    via = f" with ProxyCommand {hop.proxy_command}" if hop.proxy_command else ""
    via = f" through {hop.proxy}" if hop.proxy else via
    lines = [f"  connect to {address}{alias} as {hop.user or '?'}{_hop(number, total)}{via}"]
    details = [
        ("known hosts", [str(path) for path in hop.known_hosts + hop.global_known_hosts]),
        ("unknown host key", [_POLICY[hop.host_key]]),
        ("log in with", list(hop.auth_methods)),
        ("keys", [str(path) for path in hop.identities]),
        ("agent", [hop.identity_agent or "none"]),
        ("ciphers", list(hop.ciphers)),
        ("MACs", list(hop.macs)),
        ("compression", ["yes"] if hop.compression else []),
    ]
    lines += [f"    {name}: {', '.join(values)}" for name, values in details if values]
    return [clean_text(line) for line in lines]


_POLICY = {
    HostKeyPolicy.ASK: "ask",
    HostKeyPolicy.ACCEPT_NEW: "accept and remember",
    HostKeyPolicy.STRICT: "refuse",
}


def plan_dict(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values, the document that ``--dry-run --json`` prints."""
    return {"event": "plan", **events.plain(plan)}
