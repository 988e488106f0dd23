"""Can the gateway reach the targets of local forwards, and how long does it look up their names.

It runs after everything else that asks the gateway: sshd resolves names in the process that serves
the whole connection (channels.c, connect_to_helper), so a slow name server there freezes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from diagnostics.checks.forwarding_local import MAX_TARGETS, targets_of
from diagnostics.forwarding.shell import Asked, ask, ask_holder, ask_keys
from diagnostics.forwarding.targets import KINDS, MANY_SECONDS, Reached, judge_target
from diagnostics.knowledge.greetings import greeting_on
from diagnostics.model import Check, Effect, Judgement, Target, Unknown, with_gateway
from diagnostics.parsers import gateway_survey
from diagnostics.parsers.addresses import is_loopback, literal
from diagnostics.parsers.key_options import KeyLine, line_of
from diagnostics.parsers.text import clean
from diagnostics.ssh import Opened
from diagnostics.system import System
from netkit.model import Address, Endpoint, ForwardKind, UnixPath

PATIENCE = 7.0
"""Seconds for the gateway to say whether the target answers.

A second name server is asked after 5 seconds, and by default a resolver gives up after 10
(resolv.conf(5), timeout and attempts): whether a silent gateway stands still has to be asked
between the two.
"""

_GREETING = 3.0
_CLOSING = 0.7
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9_./@:+,=-]{1,200}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What came of each target; ``left`` were too many to be tried."""

    gateway: str = ""
    targets: tuple[Reached, ...] = ()
    left: int = 0
    asked: Asked = field(default_factory=Asked)
    key: KeyLine | None = None


def applies(target: Target) -> str:
    """Concern local forwards through a gateway."""
    return with_gateway(target) or ("" if targets_of(target) else "no local forward is named")


def seconds_for(target: Target) -> float:
    """Return how long the probe may take: one target after the other."""
    return 15.0 + (PATIENCE + 20.0) * len(targets_of(target)[:MAX_TARGETS])


def probe(target: Target, system: System) -> Facts:
    """Open a channel to each target in turn, and find out more where one fails or takes long."""
    wanted = targets_of(target)
    found = tuple(_reach(to, target, system) for to in wanted[:MAX_TARGETS])
    asked, key = Asked(), None
    if any(each.opened.kind == "prohibited" for each in found):
        asked = ask(system.ssh)
        key = line_of(ask_keys(system.ssh, asked), system.ssh.login().auth)
    elif any(each.opened.kind for each in found):
        asked = ask(system.ssh, whole=False)
    return Facts(
        gateway=clean(target.gateway),
        targets=found,
        left=len(wanted) - len(found),
        asked=asked,
        key=key,
    )


def _reach(to: Address, target: Target, system: System) -> Reached:
    ssh = system.ssh
    opened = ssh.open(to, PATIENCE)
    forward = next(
        each for each in target.forwards if each.kind is ForwardKind.LOCAL and each.to == to
    )
    if opened.outcome == "timed-out":
        frozen = ssh.keepalive(MANY_SECONDS).outcome == "timed-out"
        return Reached(forward=forward, opened=opened, frozen=frozen)
    if isinstance(to, UnixPath):
        seen = _look_at(to, system) if opened.kind else ""
        return Reached(forward=forward, opened=opened, socket=seen)
    if opened.outcome == "ok":
        heard = _listen(to, system)
        return Reached(forward=forward, opened=opened, heard=heard, lookup=_lookup(opened, system))
    if opened.kind == "name":
        here = system.resolve(to.host, timeout=MANY_SECONDS).addresses
        return Reached(forward=forward, opened=opened, here=here)
    if opened.kind == "refused" and _is_own(to.host):
        holder = ask_holder(ssh, to.port)
        return Reached(
            forward=forward, opened=opened, holder=holder, lookup=_lookup(opened, system)
        )
    return Reached(forward=forward, opened=opened, lookup=_lookup(opened, system))


def _listen(to: Endpoint, system: System) -> Opened:
    """Open another one, and wait for a greeting, or for the target to close at once."""
    patience = _GREETING if greeting_on(to.port) else _CLOSING
    return system.ssh.open(to, patience, receive=64)


def _is_own(host: str) -> bool:
    """Whether the gateway takes the target for itself."""
    return host.lower().rstrip(".") == "localhost" or is_loopback(host)


def _lookup(opened: Opened, system: System) -> float | None:
    """Return how many seconds a shell on the gateway takes to look the name up.

    None where it took no time worth asking about, or nothing tells.
    """
    host = opened.target.host if isinstance(opened.target, Endpoint) else ""
    if opened.seconds <= MANY_SECONDS or literal(host) is not None or not _NAME.match(host):
        return None
    command = f"sh -c '{gateway_survey.START}; getent ahosts {host} >/dev/null 2>&1; echo done $?'"
    done = system.ssh.run(command, PATIENCE)
    if done.outcome == "timed-out":
        return PATIENCE
    said = gateway_survey.parts(done.stdout)
    answered = said is not None and said.get("id", [""])[-1:] in (["done 0"], ["done 2"])
    return done.seconds if answered else None


def _look_at(to: UnixPath, system: System) -> str:
    """Return what a shell on the gateway sees at a path: ``socket``, ``closed`` (no permission),
    ``other`` (no socket), ``missing``, or nothing where there is none."""
    if not _PATH.match(to.path):
        return ""
    path = to.path
    command = (
        f"sh -c '{gateway_survey.START}; if [ -S {path} ]; then if [ -w {path} ]; then echo socket;"
        f" else echo closed; fi; elif [ -e {path} ]; then echo other; else echo missing; fi'"
    )
    said = gateway_survey.parts(system.ssh.run(command, PATIENCE).stdout)
    last = said.get("id", [""])[-1] if said is not None else ""
    return last if last in ("socket", "closed", "other", "missing") else ""


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say of each target why it cannot be used, or what is odd about it."""
    found = [
        each
        for target in facts.targets
        for each in judge_target(facts.gateway, target, facts.asked, facts.key)
    ]
    if facts.left:
        reason = f"whether {facts.gateway} reaches {facts.left} further targets: they are too many"
        found.append(Unknown(reason=reason))
    return tuple(found)


CHECK = Check(
    code="forwarding-target",
    title="the targets of the local forwards, seen from the gateway",
    probe=probe,
    judge=judge,
    finds=KINDS,
    depends_on=("gateway-login", "forwarding-local"),
    after=(
        *("forwarding-remote", "gateway-ports", "half-close", "gateway-keepalive"),
        *("server-timeouts", "gateway-sessions"),
    ),
    effects=(Effect.LOGS_IN, Effect.CONNECTS, Effect.RUNS_REMOTELY),
    timeout=seconds_for,
    applies=applies,
)
