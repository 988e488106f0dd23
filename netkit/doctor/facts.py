"""From the engine's values to those of `diagnostics.ssh`.  Pure.

What a gateway said is made printable and bounded here, before anybody can show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from diagnostics.ssh import Algorithms, Attempt, HopFacts, Login, Opened, RemoteOutput, Route
from netkit.errors import NetkitError
from netkit.model import Address, Endpoint, Hop, Plan
from netkit.text.fingerprints import key_type, sha256_fingerprint
from netkit.wire.open_failures import Failure, classify_open_failure
from netkit.wire.untrusted import printable

if TYPE_CHECKING:
    from netkit.engine.exec_channel import Executed
    from netkit.engine.memory_channel import MemoryChannel
    from netkit.engine.transport.algorithms import Offer
    from netkit.engine.witness import Witness

MAX_NAMES: Final = 100
"""Algorithms of one list that are kept; OpenSSH offers fewer than thirty."""

_KINDS: Final = {
    Failure.PROHIBITED: "prohibited",
    Failure.REFUSED: "refused",
    Failure.UNREACHABLE: "unreachable",
    Failure.NETWORK_UNREACHABLE: "unreachable",
    Failure.TIMED_OUT: "timed-out",
    Failure.NAME: "name",
    Failure.UNSUPPORTED: "unsupported",
    Failure.SHORTAGE: "shortage",
}
_OUTCOMES: Final = {"no-session": "refused"}


def route_of(plan: Plan) -> Route:
    """Return how the chain was resolved."""
    return Route(
        hops=tuple(map(_hop, plan.hops)),
        warnings=plan.warnings,
        keepalive_interval=plan.keepalive.interval,
        keepalive_count=plan.keepalive.count,
    )


def _hop(hop: Hop) -> HopFacts:
    return HopFacts(
        alias=hop.alias,
        host=hop.host,
        port=hop.port,
        user=hop.user,
        name=hop.name,
        known_hosts=tuple(map(str, hop.known_hosts)),
        global_known_hosts=tuple(map(str, hop.global_known_hosts)),
        identities=tuple(map(str, hop.identities)),
        identities_explicit=hop.identities_explicit,
        identities_only=hop.identities_only,
        identity_agent=hop.identity_agent,
        auth_methods=hop.auth_methods,
        proxy_command=hop.proxy_command or str(hop.proxy or ""),
        address_family=hop.address_family,
        compression=hop.compression,
        connect_timeout=hop.connect_timeout,
    )


def failed_route(error: NetkitError) -> Route:
    """Return that there is no route, and why."""
    return Route(error_code=error.code, error=error.summary, cause=error.cause)


def failed_plan(error: NetkitError) -> Login:
    """Return that there is nothing to log in to."""
    return Login(error_code=error.code, error=error.summary, cause=error.cause)


def login_of(
    witness: Witness,
    error: NetkitError | None,
    *,
    hop_at: int = -1,
    auth: str,
    notices: Sequence[tuple[str, str]],
    seconds: float,
) -> Login:
    """Return how far the login got; ``witness`` is of the failing hop, or the last."""
    agreed = witness.agreed
    # an algorithm list of ssh_config that leaves nothing is noticed before anything is sent
    stage = "kex" if error and error.code == "no-usable-algorithm" else witness.stage
    return Login(
        stage=stage,
        hop=witness.alias,
        hop_at=hop_at,
        error_code=error.code if error else "",
        error=error.summary if error else "",
        cause=error.cause if error else "",
        server=printable(witness.server),
        ours=_algorithms(witness.ours),
        theirs=_algorithms(witness.theirs),
        kex=agreed.kex if agreed else "",
        host_key_algorithm=agreed.host_key if agreed else "",
        cipher=agreed.cipher if agreed else "",
        mac=agreed.mac if agreed else "",
        compression=agreed.compression if agreed else "",
        strict_kex=witness.strict_kex,
        host_key_type=key_type(witness.host_key),
        host_key=sha256_fingerprint(witness.host_key) if witness.host_key else "",
        methods=witness.methods,
        attempts=_attempts(witness),
        auth=auth,
        notices=tuple(notices),
        local=endpoint(witness.local),
        peer=endpoint(witness.peer),
        seconds=seconds,
        seconds_tcp=witness.seconds_tcp,
    )


def endpoint(address: tuple[str, int] | None) -> Endpoint | None:
    """Return a socket's address as an endpoint."""
    return None if address is None else Endpoint(*address)


def _attempts(witness: Witness) -> tuple[Attempt, ...]:
    tried = [Attempt(method=t.method, what=t.what, why=t.why) for t in witness.tried]
    faults = [Attempt(method="publickey", what=f.summary, why=f.code) for f in witness.faults]
    return (*tried, *faults)


def _algorithms(offer: Offer | None) -> Algorithms:
    if offer is None:
        return Algorithms()
    return Algorithms(
        kex=_names(offer.kex),
        host_keys=_names(offer.host_keys),
        ciphers=_names(offer.ciphers),
        macs=_names(offer.macs),
        compression=_names(offer.compression),
    )


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(printable(name, 64) for name in names[:MAX_NAMES] if name)


def output_of(command: str, done: Executed) -> RemoteOutput:
    """Return what became of a command."""
    text = done.text
    if done.signal:
        text = f"ended by signal {done.signal}"
    elif done.cut:
        text = f"more output than {len(done.stdout) + len(done.stderr)} bytes"
    elif done.outcome == "no-session":
        text = text or "the gateway opens no session"
    elif done.outcome == "refused":
        text = "the gateway runs no commands"
    return RemoteOutput(
        command=command,
        outcome=_OUTCOMES.get(done.outcome, done.outcome),
        status=done.status,
        stdout=done.stdout,
        stderr=done.stderr,
        text_error=text,
        seconds=done.seconds,
    )


def opened_of(target: Address, channel: MemoryChannel, seconds: float, receive: int) -> Opened:
    """Return how the opening of ``channel`` went, and what it brought."""
    match channel.state:
        case "refused":
            outcome = "refused-by-gateway"
        case "lost":
            outcome = "link-lost"
        case "opening":
            outcome = "timed-out"
        case _:
            outcome = "ok"
    return Opened(
        target=target,
        outcome=outcome,
        reason=channel.reason,
        kind=refusal_kind(channel),
        text=channel.text,
        seconds=seconds,
        data=bytes(channel.data[:receive]),
        ended=outcome == "ok" and channel.eof,
    )


def refusal_kind(channel: MemoryChannel) -> str:
    """Return why the gateway opened no channel; empty where it did not refuse."""
    if channel.state != "refused":
        return ""
    return _KINDS.get(classify_open_failure(channel.reason, channel.text), "other")
