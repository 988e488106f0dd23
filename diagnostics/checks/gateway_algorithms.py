"""Do both sides share algorithms, are they good ones, and does the key exchange come to its end."""

from __future__ import annotations

import shlex

from diagnostics import remedies
from diagnostics.approach import LOGIN_TIME, Approach, look, not_reached, standing
from diagnostics.knowledge.algorithms import (
    OPTIONS,
    RETIRED,
    SPOKEN,
    TERRAPIN_CIPHERS,
    WORDS,
    is_retired,
    strict_since,
)
from diagnostics.model import (
    Check,
    Confidence,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    with_gateway,
)
from diagnostics.parsers.addresses import literal
from diagnostics.parsers.text import clean
from diagnostics.ssh import Algorithms
from netkit.model import Fix

NONE_SHARED = {
    "kex": "no-common-kex",
    "host_keys": "no-common-host-key",
    "ciphers": "no-common-cipher",
    "macs": "no-common-mac",
    "compression": "no-common-compression",
}
NONE_LEFT, STRICT, WEAK_USED, WEAK_OFFERED = (
    "no-usable-algorithm",
    "strict-kex-missing",
    "weak-algorithm-used",
    "weak-algorithms-offered",
)
STALLED, CLOSED, UNPROVEN, BROKEN = (
    "key-exchange-stalled",
    "key-exchange-closed",
    "host-key-unproven",
    "gateway-protocol-error",
)

_PSEUDO = ("kex-strict-", "ext-info-")
_SHA1_MACS = {"hmac-sha1", "hmac-sha1-etm@openssh.com"}
_ENDED = {"closed-during-login", "disconnected-by-gateway", "link-cut", "link-closed"}
_UNPROVEN = {"bad-host-key-signature", "host-key-changed-in-session"}


def judge(approach: Approach) -> tuple[Judgement, ...]:
    """Return what is not shared or was cut off; what is weak where it worked."""
    login = approach.login
    where = standing(login, "kex")
    if where > 0:
        return _quality(approach)
    if where < 0 or login.error_code == "cancelled":
        return (not_reached(approach),)
    match login.error_code:
        case "no-common-algorithm":
            return _none_shared(approach)
        case "no-usable-algorithm":
            return (_none_left(approach),)
        case "key-exchange-timeout":
            return (_stalled(approach),)
        case code if code in _ENDED:
            return (_closed(approach),)
        case code if code in _UNPROVEN:
            return (_unproven(approach),)
    return (_broken(approach),)


def _real(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(clean(name, 64) for name in names if name and not name.startswith(_PSEUDO))


def _shown(names: tuple[str, ...]) -> str:
    return clean(", ".join(_real(names)) or "nothing", 600)


def _lists(ours: Algorithms, theirs: Algorithms) -> dict[str, tuple[tuple[str, ...], ...]]:
    return {
        "kex": (ours.kex, theirs.kex),
        "host_keys": (ours.host_keys, theirs.host_keys),
        "ciphers": (ours.ciphers, theirs.ciphers),
        "macs": (ours.macs, theirs.macs),
        "compression": (ours.compression, theirs.compression),
    }


def _server(approach: Approach) -> Evidence:
    return Evidence("server", clean(approach.login.server, 120) or "unknown")


def _none_shared(approach: Approach) -> tuple[Finding, ...]:
    """Return a finding for each list without a common member.

    Where both sides take an AES-GCM the MACs do not matter (RFC 5647).
    """
    login = approach.login
    lists = _lists(login.ours, login.theirs)
    missing = [
        key
        for key, (ours, theirs) in lists.items()
        if theirs and not set(ours) & set(_real(theirs))
    ]
    shared = set(login.ours.ciphers) & set(login.theirs.ciphers)
    if "macs" in missing and any("-gcm@" in cipher for cipher in shared):
        missing.remove("macs")
    if not missing:
        return (_broken(approach),)
    return tuple(_one_missing(approach, key, *lists[key]) for key in missing)


def _one_missing(
    approach: Approach, key: str, ours: tuple[str, ...], theirs: tuple[str, ...]
) -> Finding:
    offered = _real(theirs)
    could = tuple(name for name in SPOKEN[key] if name in offered)
    word = WORDS[key]
    fixes: tuple[Fix, ...]
    if could:
        explain = (
            f"netkit can do {could[0]}, but {OPTIONS[key]} in ssh_config, or -c or -m, allows "
            "only others."
        )
        host = approach.hop.alias
        fixes = (Fix(("ssh", "-G", host), note=f"shows {OPTIONS[key].lower()} as in force"),)
    elif offered and set(offered) <= RETIRED:
        explain = "Everything the server offers has been retired as unsafe: it is out of date."
        fixes = (_update(), *_allow(key, offered))
    else:
        explain = f"The server's {OPTIONS[key]} leaves out what netkit speaks."
        fixes = _allow(key, offered)
    return Finding(
        code=NONE_SHARED[key],
        subject=approach.where,
        title=f"{approach.place} and netkit have no {word} algorithm in common",
        explain=explain,
        evidence=(
            Evidence("the server offers", _shown(theirs)),
            Evidence("netkit offers", _shown(ours)),
            _server(approach),
        ),
        fixes=fixes,
    )


def _allow(key: str, offered: tuple[str, ...]) -> tuple[Fix, ...]:
    """Return the sshd setting that adds netkit's best to what the server offers already."""
    if key == "compression":
        return (remedies.sshd_setting("algorithms", "Compression delayed"),)
    names = ",".join((*SPOKEN[key][:3], *offered[:20]))
    note = "adds what netkit speaks; on RHEL and Fedora crypto policies decide as well"
    setting = remedies.sshd_setting("algorithms", f"{OPTIONS[key]} {names}", note=note)
    if key != "host_keys":
        return (setting,)
    keys = Fix(
        ("sudo", "ssh-keygen", "-A"),
        where="gateway",
        needs_admin=True,
        persistent=True,
        note="makes the host keys that are missing, Ed25519 among them; then restart sshd",
    )
    return (keys, setting)


def _update() -> Fix:
    return Fix(
        ("sudo", "apt-get", "install", "--only-upgrade", "openssh-server"),
        where="gateway",
        needs_admin=True,
        persistent=True,
        note="on Debian and Ubuntu; elsewhere the system's own update, on a device new firmware",
    )


def _none_left(approach: Approach) -> Finding:
    login = approach.login
    return Finding(
        code=NONE_LEFT,
        subject=approach.where,
        title=clean(login.error, 400),
        explain="The line in ssh_config, or -c or -m, allows only algorithms that netkit does "
        "not have.",
        evidence=(Evidence("netkit says", clean(login.cause, 600)),),
        fixes=(
            Fix(("ssh", "-G", approach.hop.alias), note="shows the lists as they are in force"),
        ),
    )


def _stalled(approach: Approach) -> Finding:
    host, os = approach.hop.host, approach.os
    commands: dict[str, tuple[str, ...]] = {
        "windows": ("ping", "-f", "-l", "1472", host),
        "darwin": ("ping", "-c", "3", "-D", "-s", "1472", host),
    }
    argv = commands.get(os, ("ping", "-c", "3", "-M", "do", "-s", "1472", host))
    return Finding(
        code=STALLED,
        subject=approach.where,
        title=f"The key exchange with {approach.place} stalls: only small packets pass",
        explain="Large packets are lost on the way (an MTU black hole, usual with VPNs and "
        "tunnels), or the server is overloaded.",
        evidence=(Evidence("netkit says", clean(approach.detail, 400)), _server(approach)),
        fixes=(
            Fix(argv, note="a packet of 1500 bytes; no answer where a smaller one is answered"),
            *_smaller_mtu(approach),
        ),
        confidence=Confidence.LIKELY,
    )


def _smaller_mtu(approach: Approach) -> tuple[Fix, ...]:
    """Return how the interface towards the gateway gets an MTU that passes everywhere."""
    peer = approach.login.peer
    if peer is None or literal(peer.host) is None:
        return ()
    os, note = approach.os, "until the interface goes down; if that helps, set it in the VPN"
    to = shlex.quote(clean(peer.host, 60))
    if os == "windows":
        quoted = clean(peer.host, 60).replace("'", "''")
        find = (
            f"(Find-NetRoute -RemoteIPAddress '{quoted}' | Select-Object -First 1).InterfaceIndex"
        )
        line = f"Set-NetIPInterface -InterfaceIndex {find} -NlMtuBytes 1280"
        return (Fix(("powershell", "-Command", line), needs_admin=True, note=note),)
    if os == "linux":
        find = f"ip -o route get {to} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'"
        line = f'ip link set dev "$({find})" mtu 1280'
    else:
        find = f"route -n get {to} | sed -n 's/.*interface: //p'"
        line = f'ifconfig "$({find})" mtu 1280'
    return (Fix(("sudo", "sh", "-c", line), needs_admin=True, note=note),)


def _closed(approach: Approach) -> Finding:
    unit = "journalctl -u ssh -u sshd -n 50 --no-pager"
    return Finding(
        code=CLOSED,
        subject=approach.where,
        title=f"{approach.place} ends the connection in the middle of the key exchange",
        explain=clean(approach.login.cause, 300)
        or "Its log says why: often a firewall that inspects SSH, or a server that fails.",
        evidence=(Evidence("netkit says", clean(approach.detail, 400)), _server(approach)),
        fixes=(
            Fix(("sudo", "sh", "-c", unit), where="gateway", needs_admin=True, note="says why"),
            remedies.ssh(approach.hop, "-v"),
        ),
        confidence=Confidence.LIKELY,
    )


def _unproven(approach: Approach) -> Finding:
    return Finding(
        code=UNPROVEN,
        subject=approach.where,
        title=f"{approach.place} cannot prove that its host key is its own",
        explain="A broken server, or somebody in between. Do not log in from this network before "
        "that is known.",
        evidence=(Evidence("netkit says", clean(approach.detail, 400)), _server(approach)),
        fixes=(remedies.ssh(approach.hop, "-v", note="shows whether ssh sees the same"),),
    )


def _broken(approach: Approach) -> Finding:
    return Finding(
        code=BROKEN,
        subject=approach.where,
        title=f"The key exchange with {approach.place} failed: {clean(approach.login.error, 300)}",
        explain=clean(approach.login.cause, 400),
        evidence=(
            Evidence("netkit's code", clean(approach.login.error_code)),
            _server(approach),
        ),
        fixes=(remedies.ssh(approach.hop, "-v"),),
    )


def _quality(approach: Approach) -> tuple[Finding, ...]:
    """Return what is weak about a connection that works."""
    login = approach.login
    found = []
    if login.strict_kex is False:
        found.append(_not_strict(approach))
    used = [name for name in (login.kex, login.host_key_algorithm, login.cipher) if name in RETIRED]
    used += [login.mac] if login.mac in _SHA1_MACS or login.mac in RETIRED else []
    if used:
        found.append(_weak_used(approach, used))
    lists = _lists(login.ours, login.theirs)
    weak = [n for key, (_, theirs) in lists.items() if key in OPTIONS for n in is_retired(theirs)]
    weak = [name for name in weak if name != "none"]
    if weak:
        found.append(_weak_offered(approach, weak))
    return tuple(found)


def _not_strict(approach: Approach) -> Finding:
    login = approach.login
    name, version = strict_since(login.server)
    since = f" {name} has it since {version}; distributions also added it to older ones." * bool(
        name
    )
    exposed = any(cipher in TERRAPIN_CIPHERS for cipher in login.theirs.ciphers)
    also = " Clients that use its ChaCha20-Poly1305 are open to it." if exposed else ""
    return Finding(
        code=STRICT,
        severity=Severity.WARNING,
        subject=approach.where,
        title=f"The SSH server at {approach.place} lacks strict key exchange (CVE-2023-48795)",
        explain="Somebody in between could drop messages at the start of some connections "
        f"(Terrapin); the {clean(login.cipher, 40) or 'cipher'} used now does not allow it.{also}"
        f"{since}",
        evidence=(_server(approach), Evidence("key exchanges offered", _shown(login.theirs.kex))),
        fixes=(_update(),),
    )


def _weak_used(approach: Approach, used: list[str]) -> Finding:
    return Finding(
        code=WEAK_USED,
        severity=Severity.WARNING,
        subject=approach.where,
        title=f"The connection to {approach.place} has to use {_shown(tuple(used))}",
        explain="The server offers nothing better of that kind, so it is old or set up so.",
        evidence=(_server(approach), Evidence("MACs offered", _shown(approach.login.theirs.macs))),
        fixes=(_update(),),
    )


def _weak_offered(approach: Approach, weak: list[str]) -> Finding:
    return Finding(
        code=WEAK_OFFERED,
        severity=Severity.INFO,
        subject=approach.where,
        title=f"The server at {approach.place} still offers {len(weak)} retired algorithms",
        explain="netkit does not use them; other clients may.",
        evidence=(Evidence("retired", _shown(tuple(weak))), _server(approach)),
    )


CHECK = Check(
    code="gateway-algorithms",
    title="the algorithms of both sides",
    probe=look,
    judge=judge,
    finds=(
        Kind("no-common-kex", "no key exchange in common"),
        Kind("no-common-host-key", "no host key algorithm in common"),
        Kind("no-common-cipher", "no cipher in common"),
        Kind("no-common-mac", "no MAC in common"),
        Kind("no-common-compression", "no compression in common"),
        Kind(NONE_LEFT, "ssh_config allows no algorithm that netkit has"),
        Kind(STRICT, "the server lacks strict key exchange (CVE-2023-48795)"),
        Kind(WEAK_USED, "the connection uses a weak algorithm"),
        Kind(WEAK_OFFERED, "the server offers retired algorithms"),
        Kind(
            STALLED, "the key exchange stalls, as with a wrong MTU", caused_by=("mtu-black-hole",)
        ),
        Kind(CLOSED, "the server ends the connection in the key exchange"),
        Kind(UNPROVEN, "the server cannot prove that its host key is its own"),
        Kind(BROKEN, "the key exchange failed in another way"),
    ),
    depends_on=("gateway-banner",),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=LOGIN_TIME,
    applies=with_gateway,
)
