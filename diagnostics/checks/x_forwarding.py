"""Does the gateway forward X11 (ssh -X), and if not: why.

The gateway is asked, as ssh -X does, on a session that runs nothing.  sshd says in a debug message
that it finds no xauth or that the key may not; for the rest its configuration is read, as far as a
login may.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostics.forwarding.fixes import set_option
from diagnostics.forwarding.shell import Asked, ask, by_hand, why
from diagnostics.model import (
    Check,
    Confidence,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
    Unknown,
    with_gateway,
)
from diagnostics.parsers import x_gateway
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.text import clean
from diagnostics.parsers.x_gateway import GatewayX
from diagnostics.ssh import X11Answer
from diagnostics.system import System
from diagnostics.x11 import ssh_client, wanted
from netkit.model import Fix

REFUSED, NO_XAUTH = "x-forwarding-refused", "x-forwarding-no-xauth"
KEY, NO_LOOPBACK6 = "x-forwarding-forbidden-to-key", "x-forwarding-no-ipv6"
EXPOSED = "x-forwarding-exposed"

_TIME = 6.0
_NO_XAUTH = "No xauth program"
_KEY = "disabled by key options"
_PORTS = range(6000, 7010)
"""Where sshd listens for displays: numbers end at 999, and X11DisplayOffset may begin at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the gateway answered, and what a shell there sees.

    ``answer`` is None where nobody wants X11 forwarded.  ``before`` and ``meanwhile`` are the
    listening points without and with the display; None where no shell told.
    """

    gateway: str = ""
    answer: X11Answer | None = None
    asked: Asked = field(default_factory=Asked)
    there: GatewayX = field(default_factory=GatewayX)
    before: tuple[tuple[str, int], ...] | None = None
    meanwhile: tuple[tuple[str, int], ...] | None = None


def probe(target: Target, system: System) -> Facts:
    """Ask for X11 forwarding where it was asked about, or ssh is set up to ask for it."""
    gateway = clean(target.gateway)
    if not (wanted.asked(target) or _is_set_up(target, system)):
        return Facts(gateway=gateway)
    ssh = system.ssh
    before = x_gateway.parse_listeners(ssh.run(x_gateway.ASK_LISTENERS, _TIME).stdout)
    answer = ssh.x11(x_gateway.ASK_LISTENERS)
    if answer.outcome != "granted":
        there = x_gateway.parse(ssh.run(x_gateway.ASK, _TIME).stdout)
        return Facts(gateway=gateway, answer=answer, asked=ask(ssh), there=there)
    said = answer.meanwhile
    return Facts(
        gateway=gateway,
        answer=answer,
        before=before,
        meanwhile=None if said is None else x_gateway.parse_listeners(said.stdout),
    )


def _is_set_up(target: Target, system: System) -> bool:
    """Return whether ssh would ask by itself; without DISPLAY it does not."""
    return bool(system.variable("DISPLAY")) and ssh_client.ask(target, system).forward


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say which rule is in the way, or that the display is open to the network."""
    answer = facts.answer
    if answer is None or answer.outcome == "no-login":
        return ()
    if answer.outcome == "granted":
        return _exposed(facts)
    if answer.outcome != "refused":
        reason = f"{facts.gateway} does not say whether it forwards X11 ({answer.outcome})"
        return (Unknown(reason=reason),)
    said = " ".join(answer.messages)
    if _NO_XAUTH in said:
        return (_no_xauth(facts),)
    if _KEY in said:
        return (_key(facts),)
    if facts.there.loopback6 is False and _setting(facts, "X11Forwarding") != "no":
        return (_no_loopback6(facts),)
    return (_refused(facts),)


def _setting(facts: Facts, keyword: str) -> str:
    """Return what sshd is told, in lower case; empty where that is not known."""
    return facts.asked.survey.config.word(keyword)


def _seen(facts: Facts, *keywords: str) -> tuple[Evidence, ...]:
    answer = facts.answer
    messages = (
        tuple(Evidence("sshd said", clean(text)) for text in answer.messages[:8])
        if (answer)
        else ()
    )
    config = facts.asked.survey.config
    settings = ((config.get(each), each) for each in keywords)
    read = tuple(
        Evidence(found.place or "sshd -T", f"{keyword} {found.text}")
        for found, keyword in settings
        if found is not None
    )
    return (*messages, *read)


def _refused(facts: Facts) -> Finding:
    is_openssh = facts.asked.is_openssh
    setting, disabled = _setting(facts, "X11Forwarding"), _setting(facts, "DisableForwarding")
    fixes: tuple[Fix, ...] = ()
    confidence = Confidence.CERTAIN
    if not is_openssh:
        explain = f"Its SSH server is {facts.asked.server or 'unknown'}, which may know no X11."
        confidence = Confidence.LIKELY
    elif disabled == "yes":
        explain = "Its sshd is configured so: DisableForwarding yes."
        fixes = (set_option(facts.asked, "DisableForwarding no"),)
    elif setting == "yes":
        explain = "Its sshd says X11Forwarding yes, so every display from 6010 on may be taken."
        confidence = Confidence.POSSIBLE
        fixes = (by_hand("ss", "-ltn", note="shows what listens"),)
    else:
        explain = "Its sshd is configured so: X11Forwarding no, which is what OpenSSH does untold."
        if not setting:
            confidence = Confidence.LIKELY
        fixes = (set_option(facts.asked, "X11Forwarding yes"),)
    asked = facts.asked.outcome
    unread = (Evidence("configuration", why(facts.asked)),) if asked else ()
    return Finding(
        code=REFUSED,
        confidence=confidence,
        subject=facts.gateway,
        title=f"{facts.gateway} refuses to forward X11",
        explain=f"{explain} ssh -X says: X11 forwarding request failed.",
        evidence=(*_seen(facts, "X11Forwarding", "DisableForwarding"), *unread),
        fixes=fixes,
    )


def _no_xauth(facts: Facts) -> Finding:
    found = facts.there.xauth
    install = by_hand(
        "sh", "-c", "apt-get install -y xauth || dnf install -y /usr/bin/xauth", needs_admin=True
    )
    fixes: tuple[Fix, ...] = (install,)
    explain = "sshd needs xauth there to hand the cookie to X programs."
    if found:
        explain += f" There is one at {found}, where sshd does not look."
        fixes = (set_option(facts.asked, f"XAuthLocation {found}"),)
    return Finding(
        code=NO_XAUTH,
        subject=facts.gateway,
        title=f"{facts.gateway} cannot forward X11: its sshd finds no xauth",
        explain=explain,
        evidence=_seen(facts, "XAuthLocation"),
        fixes=fixes,
    )


def _key(facts: Facts) -> Finding:
    look = ("grep", "-nE", "restrict|no-X11-forwarding", ".ssh/authorized_keys")
    return Finding(
        code=KEY,
        subject=facts.gateway,
        title=f"{facts.gateway} forwards no X11 for the key that logged in",
        explain="Its line in authorized_keys has no-X11-forwarding, or restrict without "
        "X11-forwarding.",
        evidence=_seen(facts),
        fixes=(by_hand(*look, note="shows the line; take the option out of it"),),
    )


def _no_loopback6(facts: Facts) -> Finding:
    known = _setting(facts, "X11Forwarding") == "yes"
    restore = ("ip", "address", "add", "::1/128", "dev", "lo")
    return Finding(
        code=NO_LOOPBACK6,
        confidence=Confidence.LIKELY if known else Confidence.POSSIBLE,
        subject=facts.gateway,
        title=f"{facts.gateway} cannot forward X11: it has IPv6, and no address ::1",
        explain="sshd gives a display up when it cannot listen in one of the families, and so each "
        "of them: Failed to allocate internet-domain X11 display socket.",
        evidence=(*_seen(facts, "X11Forwarding", "AddressFamily"), Evidence("::1", "missing")),
        fixes=(
            set_option(facts.asked, "AddressFamily inet", "SSH itself is then IPv4 only"),
            by_hand(*restore, note="gone after a restart", needs_admin=True),
        ),
    )


def _exposed(facts: Facts) -> tuple[Judgement, ...]:
    if facts.before is None or facts.meanwhile is None:
        return ()
    new = [
        (host, port)
        for host, port in facts.meanwhile
        if port in _PORTS and (host, port) not in facts.before
    ]
    wide = [(host, port) for host, port in new if not is_loopback(host)]
    if not wide:
        return ()
    host, port = wide[0]
    return (
        Finding(
            code=EXPOSED,
            severity=Severity.INFO,
            confidence=Confidence.LIKELY,
            subject=facts.gateway,
            title=f"X11 displays that {facts.gateway} forwards are open to its whole network",
            explain="Its sshd has X11UseLocalhost no, so only the cookie protects them; DISPLAY "
            "there has the name of the host, which has to have an address.",
            evidence=(Evidence("listened meanwhile", f"{host} port {port}"),),
            fixes=(set_option(facts.asked, "X11UseLocalhost yes"),),
        ),
    )


CHECK = Check(
    code="x-forwarding",
    title="X11 forwarding by the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(REFUSED, "the gateway refuses to forward X11"),
        Kind(NO_XAUTH, "the gateway's sshd finds no xauth"),
        Kind(KEY, "the key that logged in may not forward X11"),
        Kind(NO_LOOPBACK6, "the gateway has IPv6 and no ::1, which defeats X11 forwarding"),
        Kind(EXPOSED, "forwarded displays are open to the gateway's network"),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.RUNS_TOOLS, Effect.LOGS_IN, Effect.RUNS_REMOTELY, Effect.LISTENS_REMOTELY),
    timeout=40.0,
    applies=with_gateway,
)
