"""A PuTTY session to a profile.  What a tunnel has no use for, or netkit no word for, is told.

Settings that nobody changed are not talked about.  What only the terminal is about (fonts, colours,
keyboard, bells) is one line.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final

from netkit.errors import UsageError
from netkit.model import (
    Endpoint,
    Fix,
    ForwardKind,
    ForwardSpec,
    Gateway,
    Imported,
    Keepalive,
    Profile,
    TunnelSpec,
    X11Trust,
)
from netkit.text.endpoints import check_host, check_user, quoted
from netkit.text.fingerprints import key_type
from netkit.text.putty import ciphers, proxies
from netkit.text.putty.defaults import is_default, is_known
from netkit.text.putty.forwardings import parse_forwardings
from netkit.text.putty.hosts import SSH_PORT, host_and_user
from netkit.text.putty.names import DEFAULT_SETTINGS
from netkit.text.putty.session import Session

_PORTS: Final = {"telnet": 23, "rlogin": 513, "supdup": 137}

# What becomes of these is said where it happens.
_TAKEN: Final = frozenset(
    {"Present", "HostName", "PortNumber", "Protocol", "UserName", "UserNameFromEnvironment"}
    | {"PublicKeyFile", "Compression", "PingInterval", "PingIntervalSecs", "X11Forward", "Cipher"}
    | {"PortForwardings", "LocalPortAcceptAll", "RemotePortAcceptAll", "SSHManualHostKeys"}
    | {"SshNoShell", "TCPNoDelay", "ProxyMethod", "ProxyType", "ProxyHost", "ProxyPort"}
    | {"ProxyUsername", "ProxyPassword", "ProxyDNS", "ProxyLocalhost", "ProxyExcludeList"}
    | {"ProxySOCKSVersion", "ProxyTelnetCommand", "ProxyLogToTerm"}
)

_SECRETIVE: Final = frozenset({"Environment", "RemoteCommand"})
"""What may hold a password is not shown."""

# What changes the connection and has no counterpart in a profile.
_WHY: Final[Mapping[str, str]] = {
    "AddressFamily": "AddressFamily for this host in ssh_config does the same",
    "AgentFwd": "netkit never forwards the agent",
    "AuthPlugin": "netkit runs no authentication plugins",
    "AuthGSSAPI": "netkit does not use GSSAPI anyway",
    "AuthGSSAPIKEX": "netkit does not use GSSAPI anyway",
    "AuthKI": "KbdInteractiveAuthentication for this host in ssh_config does the same",
    "ChangeUsername": "netkit asks for no other user name",
    "ConnectionSharing": "a tunnel of netkit has connections of its own",
    "DetachedCertificate": "CertificateFile for this host in ssh_config does the same",
    "Environment": "netkit starts no shell that would have an environment",
    "GssapiFwd": "netkit does not use GSSAPI",
    "HostKey": "HostKeyAlgorithms for this host in ssh_config does the same",
    "KEX": "KexAlgorithms for this host in ssh_config does the same",
    "LocalUserName": "it is for rlogin",
    "LogHost": "HostKeyAlias for this host in ssh_config does the same",
    "PreferKnownHostKeys": "netkit always asks for the known types of keys first",
    "RekeyBytes": "RekeyLimit in ssh_config is ssh's word for it; netkit rekeys by itself",
    "RekeyTime": "netkit rekeys by itself",
    "RemoteCommand": "netkit opens a tunnel and runs no command",
    "SSH2DES": "single DES can be broken by anyone; netkit does not have it",
    "SshNoAuth": "netkit always logs in",
    "SshNoTrivialAuth": "netkit has no such refusal",
    "SshProt": "netkit speaks SSH-2 only",
    "TCPKeepalives": "netkit's keepalives go through SSH, which notices more",
    "TryAgent": "IdentityAgent none for this host in ssh_config does the same",
    "X11AuthFile": "netkit asks xauth for the display's cookie",
    "X11AuthType": "netkit gives programs a MIT-MAGIC-COOKIE-1 of its own",
    "X11Display": "netkit takes the display that DISPLAY names",
}
_SHOWN: Final = 8
_FINGERPRINT = re.compile(r"(SHA256:[A-Za-z0-9+/]{43}=?|([0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2})\Z")


@dataclass(frozen=True, slots=True)
class FromPutty:
    """What a session became.

    ``host_keys`` are the keys in wire form that the session itself names for its gateway
    (``SSHManualHostKeys``).
    """

    imported: Imported
    host_keys: tuple[bytes, ...] = ()


def to_profile(
    session: Session, name: str, sessions: Mapping[str, Session] | None = None
) -> FromPutty:
    """Return the profile ``name`` that does what a session does.

    Args:
        session: what PuTTY saved.
        name: the profile's name.
        sessions: all sessions by name, for an SSH proxy that is one of them.

    Raises:
        UsageError: it is no SSH session (``not-an-ssh-session``), or names no possible gateway.
    """
    _check_kind(session)
    forwardings = parse_forwardings(
        session.text("PortForwardings"),
        local_accept_all=bool(session.number("LocalPortAcceptAll")),
        remote_accept_all=bool(session.number("RemotePortAcceptAll")),
    )
    way = proxies.from_putty(session, sessions or {})
    chosen = ciphers.from_putty(session.text("Cipher"))
    left_out = [*forwardings.left_out, *way.left_out, *chosen.left_out]
    host_keys = _manual_keys(session, left_out)
    tunnel = TunnelSpec(
        gateway=_gateway(session, left_out),
        forwards=forwardings.forwards,
        jumps=way.jumps,
        identities=_identities(session, left_out),
        compression=True if session.number("Compression") else None,
        ciphers=chosen.names,
        keepalive=_keepalive(session),
        expose=any(_is_exposed(forward) for forward in forwardings.forwards),
        proxy=way.proxy,
        # PuTTY hands the display's own rights over, as ssh -Y does
        x11=X11Trust.TRUSTED if session.number("X11Forward") else None,
    )
    left_out += _others(session)
    profile = Profile(name=name, tunnel=tunnel, note=f"from PuTTY's session {quoted(session.name)}")
    return FromPutty(Imported(profile, tuple(left_out)), host_keys)


def _check_kind(session: Session) -> None:
    shown = f"PuTTY's session {quoted(session.name)}"
    if session.name == DEFAULT_SETTINGS:
        raise UsageError(
            f"{DEFAULT_SETTINGS!r} is no session",
            code="not-a-session",
            cause="it is what PuTTY fills new sessions with",
        )
    protocol = session.text("Protocol", "ssh")
    host = host_and_user(session)[0]
    if protocol not in ("ssh", "", "default"):
        port = _PORTS.get(protocol, 0) or session.number("PortNumber")
        fixes: tuple[Fix, ...] = ()
        if protocol in _PORTS and host:
            to = str(Endpoint(host, session.number("PortNumber", port) or port))
            words = ("--bind", f"127.0.0.1:{2000 + port}", "--to", to)
            fixes = (Fix(("netkit", "forward", "me@gateway.example", *words)),)
        raise UsageError(
            f"{shown} speaks {quoted(protocol)}, not SSH",
            code="not-an-ssh-session",
            cause="only an SSH server can be tunnelled through; what it leads to can be reached"
            " through one",
            fixes=fixes,
        )
    if not host:
        raise UsageError(f"{shown} names no host", code="session-without-host")


def _gateway(session: Session, left_out: list[str]) -> Gateway:
    host, user = host_and_user(session)
    port = session.number("PortNumber", SSH_PORT)
    if not 1 <= port <= 65535:
        raise UsageError(
            f"PuTTY's session {quoted(session.name)} has no possible port: {port}",
            code="bad-putty-session",
        )
    if not user and not session.number("UserNameFromEnvironment"):
        left_out.append("no user name: PuTTY asks for one, netkit takes yours or ssh_config's")
    try:
        check_host(host, host)
        return Gateway(host, check_user(user, user) if user else None, _said_port(port))
    except UsageError as error:
        raise UsageError(
            f"PuTTY's session {quoted(session.name)} names no possible gateway",
            code="bad-putty-session",
            cause=f"{error.summary}: {error.cause}",
        ) from None


def _said_port(port: int) -> int | None:
    return None if port == SSH_PORT else port


def _identities(session: Session, left_out: list[str]) -> tuple[Path, ...]:
    text = session.text("PublicKeyFile")
    if not text:
        return ()
    if any(ord(each) < 32 or ord(each) == 127 for each in text):
        left_out.append(f"PublicKeyFile={quoted(text)}: it is no path")
        return ()
    if Path(text).is_absolute():
        return (Path(text),)
    if PureWindowsPath(text).is_absolute():
        why = "it is a path of a Windows machine; copy the key here and name it with -i"
    else:
        why = "it counts from where PuTTY is started; name the key with -i"
    left_out.append(f"PublicKeyFile={text}: {why}")
    return ()


def _keepalive(session: Session) -> Keepalive | None:
    """Return the interval; PuTTY's 0 is what nobody chose, so netkit's own default stays."""
    seconds = session.number("PingInterval") * 60 + session.number("PingIntervalSecs")
    return Keepalive(interval=float(min(seconds, 86400))) if seconds > 0 else None


def _is_exposed(forward: ForwardSpec) -> bool:
    if forward.kind is ForwardKind.REMOTE or not isinstance(forward.bind, Endpoint):
        return False
    host = forward.bind.host
    if host.lower() in ("", "localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _manual_keys(session: Session, left_out: list[str]) -> tuple[bytes, ...]:
    keys: list[bytes] = []
    for word in session.text("SSHManualHostKeys").split(","):
        # commas and '=' in names are escaped, as in all lists of PuTTY
        text = word.replace("\\", "").strip()
        if not text:
            continue
        if _FINGERPRINT.match(text):
            left_out.append(f"SSHManualHostKeys: {text} is a fingerprint; known_hosts holds keys")
            continue
        try:
            blob = base64.b64decode(text, validate=True)
        except ValueError:
            blob = b""
        if key_type(blob):
            keys.append(blob)
        else:
            left_out.append(f"SSHManualHostKeys: {quoted(text)} is no key")
    return tuple(keys)


def _others(session: Session) -> Iterator[str]:
    """Yield what is said about all settings that were changed and not taken over."""
    terminal, unknown = [], []
    for key, value in session.values:
        if key in _TAKEN or is_default(key, value):
            continue
        if key in _WHY:
            shown = key if key in _SECRETIVE else f"{key}={value}"
            yield f"{shown}: {_WHY[key]}"
        elif is_known(key):
            terminal.append(key)
        else:
            unknown.append(key)
    if terminal:
        yield f"about the terminal, which netkit is not: {_some(terminal)}"
    if unknown:
        yield f"unknown to netkit: {_some(unknown)}"


def _some(keys: list[str]) -> str:
    shown = ", ".join(quoted(key)[1:-1] for key in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
