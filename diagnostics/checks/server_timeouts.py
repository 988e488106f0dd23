"""What the gateway's sshd ends by itself: idle flows, unused connections, clients it finds silent.

All of it is in sshd_config(5), which a shell on the gateway may or may not be allowed to read.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field

from diagnostics.forwarding.fixes import set_option, told
from diagnostics.forwarding.shell import Asked, ask, by_hand, why
from diagnostics.model import (
    Check,
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
from diagnostics.parsers.gateway_survey import GatewayProcess
from diagnostics.parsers.sshd_config import Setting, seconds
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Fix, ForwardKind, UnixPath

CHANNEL, UNUSED = "channel-timeout", "unused-connection-timeout"
IMPATIENT, IDLE = "client-alive-impatient", "client-alive-idle-limit"
BLIND, HASTE, FEW = "client-alive-off", "login-grace-short", "max-startups-low"

PATIENT = 30
"""Seconds of outage that a tunnel should survive; with the example of sshd_config(5), interval 15
and count 3, it survives 45."""

TYPING = 15
"""Seconds that a person needs to type a passphrase or a one-time code."""

_KEYWORDS = (
    *("ChannelTimeout", "UnusedConnectionTimeout", "ClientAliveInterval", "ClientAliveCountMax"),
    *("LoginGraceTime", "MaxStartups"),
)
_LOCAL = ("direct-tcpip", "direct-streamlocal@openssh.com")
_REMOTE = ("forwarded-tcpip", "forwarded-streamlocal@openssh.com")
_IDLE = re.compile(r" -I ?([0-9]{1,9})(?: |$)", re.ASCII)
_VERSION = re.compile(r"OpenSSH(?:_for_Windows)?_([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What sshd is told, and what the tunnel needs of it.

    Attributes:
        gateway: as the user wrote it.
        asked: what the gateway's shell says.
        channels: types of channel that the forwards use.
        has_remote: whether a remote forward is named.
        wanted: whether forwards are named at all.
        interval: seconds between keepalives; 0: none are sent.
        heard: keepalives that the gateway has sent so far.
    """

    gateway: str = ""
    asked: Asked = field(default_factory=Asked)
    channels: tuple[str, ...] = (*_LOCAL[:1], *_REMOTE[:1])
    has_remote: bool = False
    wanted: bool = False
    interval: float = 0.0
    heard: int = 0


def probe(target: Target, system: System) -> Facts:
    """Read sshd's configuration on the gateway."""
    asked = ask(system.ssh)
    remote = [each for each in target.forwards if each.kind is ForwardKind.REMOTE]
    return Facts(
        gateway=clean(target.gateway),
        asked=asked,
        channels=_channels(target),
        has_remote=bool(remote),
        wanted=bool(target.forwards),
        interval=system.ssh.route().keepalive_interval,
        heard=system.ssh.server_keepalives(),
    )


def _channels(target: Target) -> tuple[str, ...]:
    """Return the types of channel that the forwards open; without forwards those of TCP."""
    found = []
    for each in target.forwards:
        remote = each.kind is ForwardKind.REMOTE
        end = each.bind if remote else each.to
        found.append((_REMOTE if remote else _LOCAL)[isinstance(end, UnixPath)])
    return tuple(dict.fromkeys(found)) or (_LOCAL[0], _REMOTE[0])


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Say what sshd ends, and what could not be read."""
    if "dropbear" in facts.asked.server.lower() and facts.asked.survey.listener is not None:
        return _dropbear(facts, facts.asked.survey.listener)
    if not facts.asked.is_openssh:
        server = facts.asked.server or "its server"
        reason = f"what {facts.gateway} ends by itself: {server} is no OpenSSH, ask its manual"
        return (Unknown(reason=reason, subject=facts.gateway),)
    found: list[Judgement] = [
        *_channel(facts),
        *_unused(facts),
        *_alive(facts),
        *_logins(facts),
    ]
    return (*found, *_unread(facts))


def _dropbear(facts: Facts, listener: GatewayProcess) -> tuple[Judgement, ...]:
    """Dropbear is told by its arguments: ``-I`` counts seconds without anything but keepalives."""
    given = _IDLE.search(listener.title)
    if given is None or not int(given[1]):
        return ()
    return (
        Finding(
            code=UNUSED,
            severity=Severity.WARNING,
            subject=facts.gateway,
            title=f"{facts.gateway} ends a tunnel through which nothing goes for"
            f" {_span(int(given[1]))}",
            explain="Its dropbear was started with -I, and keepalives do not count; netkit connects"
            " again, and until then the ports of remote forwards are gone.",
            evidence=(Evidence("dropbear", clean(listener.title, 200)),),
            fixes=(Fix((), where="gateway", note="start dropbear without -I"),),
        ),
    )


def _unread(facts: Facts) -> tuple[Unknown, ...]:
    """Say what may be otherwise than it looks."""
    config = facts.asked.survey.config
    if facts.asked.outcome:
        because = why(facts.asked)
    elif not config.settings:
        because = f"this account may not read {facts.asked.survey.config_file or 'sshd_config'}"
    elif config.unread:
        because = f"this account may not read {clean(config.unread[0], 100)}"
    else:
        return ()
    evidence = [Evidence("could not be read", clean(each, 100)) for each in config.unread[:8]]
    if facts.heard:
        evidence.append(Evidence("keepalives that the gateway sent meanwhile", str(facts.heard)))
    pattern = "|".join(_KEYWORDS)
    return (
        Unknown(
            reason=f"what sshd on {facts.gateway} ends by itself: {because}",
            subject=facts.gateway,
            evidence=tuple(evidence),
            fixes=(
                by_hand(
                    *("sh", "-c", f'sshd -T | grep -Ei "{pattern}"'),
                    note="prints what is in force there",
                    needs_admin=True,
                ),
            ),
        ),
    )


def _settings(facts: Facts, keyword: str) -> tuple[Setting, ...]:
    """Return the global setting, and those of Match blocks, which may count instead."""
    config = facts.asked.survey.config
    found = config.get(keyword)
    return (*((found,) if found else ()), *config.matched(keyword))


def _finding(
    facts: Facts, setting: Setting, code: str, title: str, explain: str, *fixes: Fix
) -> Finding:
    only = f" It holds only for 'Match {setting.match}'." if setting.match else ""
    if facts.asked.survey.config.effective:
        only = ""
    return Finding(
        code=code,
        severity=Severity.WARNING,
        subject=facts.gateway,
        title=title,
        explain=f"{explain}{only}",
        evidence=(Evidence(setting.place or "sshd -T", told(setting)),),
        fixes=fixes,
    )


def _channel(facts: Facts) -> list[Finding]:
    for setting in _settings(facts, "ChannelTimeout"):
        hit = next(
            ((kind, limit) for kind in facts.channels if (limit := _limit(setting, kind))), None
        )
        if hit is None:
            continue
        kind, limit = hit
        keep = [word for word in setting.words if not fnmatch.fnmatchcase(kind, _type(word))]
        line = " ".join(["ChannelTimeout", f"{kind}=0", *keep])
        return [
            _finding(
                facts,
                setting,
                CHANNEL,
                f"{facts.gateway} ends every flow that is silent for {_span(limit)}",
                f"Its sshd has {told(setting)}, and keepalives do not count: the program has to say"
                " something itself, or its connection is closed.",
                set_option(facts.asked, line, note="lets flows be silent"),
            )
        ]
    return []


def _limit(setting: Setting, kind: str) -> int:
    """Return the limit of a channel type, as the first pattern says that fits; 0: none."""
    for word in setting.words:
        if fnmatch.fnmatchcase(kind, _type(word)) or _type(word) == "global":
            return seconds(word.partition("=")[2]) or 0
    return 0


def _type(word: str) -> str:
    # In fnmatch a bracket would begin a set; sshd's patterns have none.
    return word.partition("=")[0].replace("[", "[[]")


def _span(limit: int) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if limit >= size and limit % size == 0:
            number = limit // size
            return f"{number} {name}{'' if number == 1 else 's'}"
    return f"{limit} s"


def _unused(facts: Facts) -> list[Finding]:
    for setting in _settings(facts, "UnusedConnectionTimeout"):
        limit = seconds(setting.words[0]) if setting.words else None
        if not limit:
            continue
        return [
            _finding(
                facts,
                setting,
                UNUSED,
                f"{facts.gateway} ends a tunnel through which no flow goes for {_span(limit)}",
                "Its sshd does not count listening ports as use (UnusedConnectionTimeout), and"
                " keepalives neither; netkit connects again, and until then the ports of remote"
                " forwards are gone.",
                set_option(facts.asked, "UnusedConnectionTimeout none", note="keeps it open"),
            )
        ]
    return []


def _alive(facts: Facts) -> list[Finding]:
    config = facts.asked.survey.config
    interval = config.seconds("ClientAliveInterval", 0)
    count = config.number("ClientAliveCountMax", 3)
    setting = config.get("ClientAliveInterval")
    if interval and setting is not None:
        if count == 0:
            return _idle_limit(facts, setting, interval)
        if interval * count < PATIENT:
            return [_impatient(facts, setting, interval, count)]
        return []
    matched = config.matched("ClientAliveInterval")
    if facts.has_remote and config.known and not matched:
        return [_blind(facts, config.get("ClientAliveInterval"))]
    return []


def _idle_limit(facts: Facts, setting: Setting, interval: int) -> list[Finding]:
    """Before OpenSSH 8.2 a count of 0 ended a connection after one silent interval."""
    version = _VERSION.search(facts.asked.server)
    if version is None or (int(version[1]), int(version[2])) >= (8, 2):
        return []
    if 0 < facts.interval < interval:
        return []
    wanted = max(interval // 3, 1)
    return [
        _finding(
            facts,
            setting,
            IDLE,
            f"{facts.gateway} ends a tunnel that is silent for {_span(interval)}",
            "In this version of OpenSSH ClientAliveCountMax 0 makes ClientAliveInterval a limit for"
            " silence; since 8.2 it switches the limit off.",
            Fix(("netkit", "forward", "...", "--keepalive", str(wanted)), note="is never silent"),
        )
    ]


def _impatient(facts: Facts, setting: Setting, interval: int, count: int) -> Finding:
    patient = max(15, -(-45 // count))
    return _finding(
        facts,
        setting,
        IMPATIENT,
        f"{facts.gateway} ends the tunnel after an outage of {interval * count} s",
        f"Its sshd asks every {interval} s for a sign of life and gives up after {count} without:"
        " a short loss of the network cuts every connection, and this machine learns of it late.",
        set_option(
            facts.asked,
            f"ClientAliveInterval {patient}",
            note=f"with its count of {count} it waits {patient * count} s",
        ),
    )


def _blind(facts: Facts, setting: Setting | None) -> Finding:
    seen = told(setting) if setting else "ClientAliveInterval is not set"
    return Finding(
        code=BLIND,
        severity=Severity.INFO,
        subject=facts.gateway,
        title=f"{facts.gateway} does not look whether clients are still there",
        explain="When this machine vanishes, sshd goes on listening on the ports of its remote"
        " forwards, and a new tunnel finds them taken.",
        evidence=(Evidence(setting.place if setting and setting.place else "sshd_config", seen),),
        fixes=(
            set_option(
                facts.asked,
                "ClientAliveInterval 15",
                note="lets sshd notice within a minute that a client died",
            ),
        ),
    )


def _logins(facts: Facts) -> list[Finding]:
    config = facts.asked.survey.config
    found = []
    grace = config.get("LoginGraceTime")
    limit = config.seconds("LoginGraceTime", 120)
    if grace is not None and 0 < limit < TYPING:
        found.append(
            _finding(
                facts,
                grace,
                HASTE,
                f"{facts.gateway} gives a login {limit} s",
                "A passphrase or a one-time code is not typed that fast; the default is 120 s.",
                set_option(facts.asked, "LoginGraceTime 120"),
            )
        )
    startups = config.get("MaxStartups")
    first = config.word("MaxStartups", "10").partition(":")[0]
    if startups is not None and first.isascii() and first.isdecimal() and int(first[:6]) < 2:
        found.append(
            _finding(
                facts,
                startups,
                FEW,
                f"{facts.gateway} drops a login while {first} other is under way",
                "Several tunnels that connect again at the same time shut each other out; the"
                " default begins to drop at ten.",
                set_option(facts.asked, "MaxStartups 10:30:100"),
            )
        )
    return found


CHECK = Check(
    code="server-timeouts",
    title="what the gateway ends by itself",
    probe=probe,
    judge=judge,
    finds=(
        Kind(CHANNEL, "the gateway ends flows that are silent"),
        Kind(UNUSED, "the gateway ends a tunnel through which nothing goes"),
        Kind(IMPATIENT, "the gateway ends the tunnel after a short outage"),
        Kind(IDLE, "the gateway ends a tunnel that is silent"),
        Kind(BLIND, "the gateway does not notice that a client vanished"),
        Kind(HASTE, "the gateway leaves little time for a login"),
        Kind(FEW, "the gateway drops logins that overlap"),
    ),
    depends_on=("gateway-login",),
    effects=(Effect.LOGS_IN, Effect.RUNS_REMOTELY),
    timeout=20.0,
    applies=with_gateway,
)
