"""Is it an SSH server that answers at the gateway's port, and does it let us begin."""

from __future__ import annotations

from diagnostics import remedies
from diagnostics.approach import LOGIN_TIME, Approach, look, not_reached, standing
from diagnostics.model import (
    Check,
    Confidence,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    with_gateway,
)
from diagnostics.parsers import login_words
from diagnostics.parsers.text import clean
from netkit.model import Fix

NOT_SSH, PORTAL, SILENT, CLOSES = (
    "gateway-not-ssh",
    "gateway-captive-portal",
    "gateway-silent-port",
    "gateway-closes-at-once",
)
FULL, PENALTY, OLD, BAD_LINE, FAILED = (
    "gateway-max-startups",
    "gateway-penalty",
    "gateway-protocol-1",
    "gateway-bad-version-line",
    "gateway-banner-failed",
)
PROXY_ENDED = "proxy-command-ended"

# What sshd says to connections that it drops before its version line (sshd.c, drop_connection).
_FULL_WORDS = "exceeded maxstartups"
_PENALTY_WORDS = "not allowed at this time"
_WRAPPER_WORDS = ("refused connect", "connection refused by", "access denied")


def judge(approach: Approach) -> tuple[Judgement, ...]:
    """Return what answered instead of an SSH server, or why it would not begin."""
    where = standing(approach.login, "banner")
    if where > 0:
        return ()
    if where < 0 or approach.login.error_code == "cancelled":
        return (not_reached(approach),)
    match approach.login.error_code:
        case "not-ssh" | "banner-flood":
            return (_said(approach),)
        case "silent-port" | "key-exchange-timeout":
            return (_silent(approach),)
        case "closed-early" | "link-cut" | "link-closed" | "closed-during-login":
            return (_closed(approach),)
        case "ssh-protocol-1":
            return (_old(approach),)
        case "bad-version-line":
            return (_plain(approach, BAD_LINE, "The version line breaks RFC 4253 section 4.2."),)
    return (_plain(approach, FAILED, clean(approach.login.cause, 400)),)


def _seen(approach: Approach) -> tuple[Evidence, ...]:
    seen = [Evidence("netkit says", clean(approach.detail, 400))]
    if words := login_words.said(approach.login.cause):
        seen.insert(0, Evidence("it said", words))
    seen += [
        Evidence("the ProxyCommand said", clean(text))
        for code, text in approach.login.notices[:5]
        if code == "proxy-command"
    ]
    return tuple(seen)


def _said(approach: Approach) -> Finding:
    words = login_words.said(approach.login.cause)
    lowered = words.lower()
    if _FULL_WORDS in lowered:
        return _full(approach)
    if _PENALTY_WORDS in lowered:
        return _penalty(approach)
    if any(each in lowered for each in _WRAPPER_WORDS):
        return _closed(approach)
    if login_words.is_portal(words, approach.hop.port):
        return _portal(approach)
    service = login_words.service(approach.login.cause)
    what = service or "something that is no SSH server"
    other = "ssl/TLS" if service == "a TLS server" else "another service"
    return Finding(
        code=NOT_SSH,
        subject=approach.where,
        title=f"At {approach.place} {what} answers",
        explain=f"This port belongs to {other}; the SSH server is at another one, or behind "
        "something that hands connections on by what they begin with.",
        evidence=_seen(approach),
        fixes=(
            Fix(
                ("sudo", "sh", "-c", "ss -ltnp | grep sshd"),
                where="gateway",
                needs_admin=True,
                note="shows at which port sshd listens there; -p takes another port",
            ),
            remedies.ssh(approach.hop, "-v", note="shows whether ssh gets any further"),
        ),
    )


def _portal(approach: Approach) -> Finding:
    return Finding(
        code=PORTAL,
        subject=approach.where,
        title=f"A web page answers in place of {approach.place}: this network wants you to log in "
        "first, or blocks SSH",
        explain="Hotel, airport and guest networks answer so for everything until their terms are "
        "accepted in a browser; some proxies always do.",
        evidence=_seen(approach),
        fixes=(_open_portal(approach.os),),
        confidence=Confidence.LIKELY,
    )


def _open_portal(os: str) -> Fix:
    # Firefox's own page for this: support.mozilla.org, "Captive portal"
    page = "http://detectportal.firefox.com/"
    note = "shows the network's own page, if there is one"
    if os == "windows":
        return Fix(("explorer", page), note=note)
    return Fix(("open" if os == "darwin" else "xdg-open", page), note=note)


def _silent(approach: Approach) -> Finding:
    return Finding(
        code=SILENT,
        subject=approach.where,
        title=f"{approach.place} accepts connections and then says nothing",
        explain="An SSH server speaks first. This is another service (TLS, a database), or the "
        "server is overloaded or frozen, or a firewall accepts in its place.",
        evidence=_seen(approach),
        fixes=(
            remedies.ssh(approach.hop, "-v", note="shows whether ssh gets any further"),
            Fix(
                ("uptime",),
                where="gateway",
                note="a load far above the number of processors explains it",
            ),
        ),
    )


def _closed(approach: Approach) -> Finding:
    if approach.hop.proxy_command:
        return _proxy_ended(approach)
    login = approach.login
    unit = "journalctl -u ssh -u sshd -n 50 --no-pager"
    return Finding(
        code=CLOSES,
        subject=approach.where,
        title=f"{approach.place} closes each connection at once",
        explain="The server is full (MaxStartups), bans this address (fail2ban, PerSourcePenalties,"
        " hosts.deny), or a forwarder stands there with nothing behind it.",
        evidence=(*_seen(approach), Evidence("netkit's code", clean(login.error_code))),
        fixes=(
            Fix(("sudo", "sh", "-c", unit), where="gateway", needs_admin=True, note="says why"),
            Fix(
                ("sudo", "fail2ban-client", "status", "sshd"),
                where="gateway",
                needs_admin=True,
                note="lists banned addresses; 'set sshd unbanip ADDRESS' lifts one",
            ),
            Fix(("grep", "-v", "^#", "/etc/hosts.allow", "/etc/hosts.deny"), where="gateway"),
        ),
        confidence=Confidence.LIKELY,
    )


def _proxy_ended(approach: Approach) -> Finding:
    said = [text for code, text in approach.login.notices if code == "proxy-command"]
    words = f": {clean(said[-1])}" if said else " without a word"
    return Finding(
        code=PROXY_ENDED,
        subject=approach.where,
        title=f"The ProxyCommand to {approach.name} ended{words}",
        explain="It makes the connection in netkit's place, so it has to be mended first.",
        evidence=(
            *_seen(approach),
            Evidence("ProxyCommand", clean(approach.hop.proxy_command, 400)),
        ),
        fixes=(
            remedies.ssh(approach.hop, "-v", note="runs the same command and shows its words"),
            Fix(("ssh", "-G", approach.hop.alias), note="shows proxycommand as it is in force"),
        ),
    )


def _full(approach: Approach) -> Finding:
    return Finding(
        code=FULL,
        subject=approach.where,
        title=f"The SSH server at {approach.place} is full: it drops new connections (MaxStartups)",
        explain="Too many connections are not logged in yet. Wait a moment; a scan from the "
        "internet, or many tunnels that connect at once, fill it.",
        evidence=_seen(approach),
        fixes=(
            remedies.sshd_setting(
                "startups", "MaxStartups 100:30:200", "LoginGraceTime 30", note="allows more"
            ),
            Fix(
                ("sudo", "sh", "-c", "ss -tn state established '( sport = :ssh )'"),
                where="gateway",
                needs_admin=True,
                note="shows who holds the connections",
            ),
        ),
    )


def _penalty(approach: Approach) -> Finding:
    return Finding(
        code=PENALTY,
        subject=approach.where,
        title=f"{approach.place} turns this address away for a while (PerSourcePenalties)",
        explain="Logins that failed, or connections without one, have earned this address, or one "
        "that shares it behind a NAT, a penalty. It ends by itself; each attempt may lengthen it.",
        evidence=_seen(approach),
        fixes=(
            Fix((), note="wait a minute, then try once"),
            Fix(
                ("sudo", "sh", "-c", "journalctl -u ssh -u sshd | grep -i penal | tail"),
                where="gateway",
                needs_admin=True,
                note="says for what; PerSourcePenaltyExemptList in sshd_config exempts an address",
            ),
        ),
        confidence=Confidence.LIKELY,
    )


def _old(approach: Approach) -> Finding:
    return Finding(
        code=OLD,
        subject=approach.where,
        title=f"{approach.place} speaks only SSH protocol 1, which is not secure",
        explain="netkit and every current ssh refuse it. The server has to be replaced, or "
        "switched to protocol 2 (Protocol 2 in its sshd_config).",
        evidence=_seen(approach),
        fixes=(
            Fix(
                ("sh", "-c", "sudo apt-get install --only-upgrade openssh-server"),
                where="gateway",
                needs_admin=True,
                persistent=True,
                note="on Debian and Ubuntu; a device needs newer firmware",
            ),
        ),
    )


def _plain(approach: Approach, code: str, explain: str) -> Finding:
    return Finding(
        code=code,
        subject=approach.where,
        title=clean(approach.login.error, 300) or f"{approach.place} is no usable SSH server",
        explain=explain,
        evidence=_seen(approach),
        fixes=(remedies.ssh(approach.hop, "-v", note="shows whether ssh gets any further"),),
    )


CHECK = Check(
    code="gateway-banner",
    title="what answers at the gateway's port",
    probe=look,
    judge=judge,
    finds=(
        Kind(NOT_SSH, "another service than SSH answers at this port"),
        Kind(PORTAL, "a captive portal or proxy answers in the gateway's place"),
        Kind(SILENT, "the port accepts connections and says nothing"),
        Kind(CLOSES, "the server closes each connection at once"),
        Kind(FULL, "the server is full (MaxStartups)"),
        Kind(PENALTY, "the server turns this address away for a while"),
        Kind(OLD, "the server speaks only SSH protocol 1"),
        Kind(BAD_LINE, "the server's version line is malformed"),
        Kind(FAILED, "the identification failed in another way"),
        Kind(PROXY_ENDED, "the ProxyCommand ended before the server spoke"),
    ),
    depends_on=("gateway-tcp",),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=LOGIN_TIME,
    applies=with_gateway,
)
