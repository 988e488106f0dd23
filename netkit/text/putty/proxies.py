"""PuTTY's proxies: to netkit's proxy URL or jump, and back.

``ProxyMethod`` is 0 none, 1 SOCKS 4, 2 SOCKS 5, 3 HTTP, 4 Telnet, 5 a local command, 6 to 8 an SSH
server (a forwarding, a command, a subsystem there).  Before 0.58 it was ``ProxyType`` (settings.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netkit.errors import UsageError
from netkit.model import Gateway, Proxy
from netkit.text.endpoints import check_host, check_user
from netkit.text.proxies import parse_proxy
from netkit.text.putty.hosts import host_and_user
from netkit.text.putty.session import Session, Value

_SOCKS4, _SOCKS5, _HTTP, _TELNET, _COMMAND, _SSH = 1, 2, 3, 4, 5, 6
_SCHEMES: Final = {_SOCKS4: "socks4", _SOCKS5: "socks5", _HTTP: "http"}
_DNS_HERE, _DNS_AUTO, _DNS_PROXY = 0, 1, 2
_METHODS: Final = {
    "socks4": _SOCKS4,
    "socks4a": _SOCKS4,
    "socks5": _SOCKS5,
    "socks5h": _SOCKS5,
    "http": _HTTP,
}
_REFUSED: Final = {
    _TELNET: "netkit knows no Telnet proxies; as ProxyCommand in ssh_config a program can do it",
    _COMMAND: "a local command is ProxyCommand in ssh_config, which netkit follows",
    7: "netkit reaches a gateway through another one by a forwarding only (-J)",
    8: "netkit reaches a gateway through another one by a forwarding only (-J)",
}
_OLD: Final = {1: _HTTP, 3: _TELNET, 4: _COMMAND}


@dataclass(frozen=True, slots=True)
class Way:
    """How the gateway is reached: through a proxy, a jump, or neither."""

    proxy: str | None = None
    jumps: tuple[Gateway, ...] | None = None
    left_out: tuple[str, ...] = ()


def from_putty(session: Session, sessions: Mapping[str, Session]) -> Way:
    """Return the way that a session takes.

    Args:
        session: its settings.
        sessions: by name, because the host of an SSH proxy may be one of them.
    """
    method = _method(session)
    if not method or _goes_direct(session):
        return Way()
    left_out = [_without_value(session)] if session.text("ProxyPassword") else []
    if excluded := session.text("ProxyExcludeList"):
        left_out.append(f"ProxyExcludeList={excluded}: a profile is about one gateway")
    if method in (_SOCKS5, _HTTP) and session.number("ProxyDNS", _DNS_AUTO) == _DNS_HERE:
        left_out.append("ProxyDNS=0: netkit lets this kind of proxy resolve the gateway's name")
    if method in _REFUSED or (method not in _SCHEMES and method != _SSH):
        why = _REFUSED.get(method, "netkit knows no such kind of proxy")
        return Way(left_out=(f"ProxyMethod={method}: {why}", *left_out))
    try:
        if method == _SSH:
            return Way(jumps=(_jump(session, sessions),), left_out=tuple(left_out))
        return Way(proxy=_url(session, method), left_out=tuple(left_out))
    except UsageError as error:
        why = error.cause or error.summary
        return Way(left_out=(f"ProxyHost={session.text('ProxyHost')}: {why}", *left_out))


def proxy_to_putty(proxy: str) -> dict[str, Value]:
    """Return the settings for the URL of a proxy.

    Raises:
        UsageError: it is none.
    """
    parsed = parse_proxy(proxy)
    dns = {"socks4": _DNS_HERE, "socks4a": _DNS_PROXY}.get(parsed.scheme, _DNS_AUTO)
    return {
        "ProxyDNS": dns,
        "ProxyLocalhost": 1,
        "ProxyMethod": _METHODS[parsed.scheme],
        "ProxyHost": parsed.host,
        "ProxyPort": parsed.port,
        "ProxyUsername": parsed.user,
    }


def jump_to_putty(jump: Gateway) -> dict[str, Value]:
    """Return the settings for a gateway in front of the gateway."""
    return {
        "ProxyDNS": _DNS_AUTO,
        "ProxyLocalhost": 1,
        "ProxyMethod": _SSH,
        "ProxyHost": jump.host,
        "ProxyPort": jump.port or 22,
        "ProxyUsername": jump.user or "",
    }


def _method(session: Session) -> int:
    method = session.number("ProxyMethod", -1)
    if method != -1:
        return method
    old = session.number("ProxyType")
    if old == 2:
        return _SOCKS4 if session.number("ProxySOCKSVersion", 5) == 4 else _SOCKS5
    return _OLD.get(old, 0)


def _goes_direct(session: Session) -> bool:
    """Tell whether the gateway is this machine: PuTTY asks no proxy then, unless it is told to."""
    host = host_and_user(session)[0].lower()
    here = host in ("localhost", "::1") or host.startswith("127.")
    return here and not session.number("ProxyLocalhost")


def _url(session: Session, method: int) -> str:
    host = check_host(session.text("ProxyHost", "proxy").strip("[]"), session.text("ProxyHost"))
    scheme = _SCHEMES[method]
    if method == _SOCKS4 and session.number("ProxyDNS", _DNS_AUTO) == _DNS_PROXY:
        scheme = "socks4a"
    url = str(Proxy(scheme, host, _port(session), session.text("ProxyUsername")))
    parse_proxy(url)
    return url


def _jump(session: Session, sessions: Mapping[str, Session]) -> Gateway:
    host = session.text("ProxyHost", "proxy")
    user, port = session.text("ProxyUsername"), _port(session)
    if host in sessions:
        # as for PuTTY, a session of that name says the rest
        named = sessions[host]
        host, found = host_and_user(named)
        user, port = found or user, named.number("PortNumber", 22)
    if not 1 <= port <= 65535:
        raise UsageError(f"{port} is not a port")
    return Gateway(check_host(host, host), check_user(user, user) if user else None, port)


def _port(session: Session) -> int:
    port = session.number("ProxyPort", 80)
    if not 1 <= port <= 65535:
        raise UsageError(f"ProxyPort={port} is not a port")
    return port


def _without_value(session: Session) -> str:
    who = session.text("ProxyUsername") or "the proxy"
    return f"ProxyPassword: netkit saves no passwords; it asks for that of {who}"
