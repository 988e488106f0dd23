"""Do proxy variables swallow what is meant for a forward on this machine.

A program that sends ``localhost`` to an HTTP proxy asks the proxy's own localhost.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Severity,
    Target,
)
from diagnostics.parsers.addresses import is_loopback
from diagnostics.parsers.no_proxy import bypasses, proxy_host
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Endpoint, Fix, ForwardKind

SWALLOWS = "proxy-swallows-loopback"

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS = "no_proxy"
_ALWAYS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that is set."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Facts:
    """``proxies`` and ``exceptions`` are as set; ``hosts`` are what clients of forwards use."""

    os: str
    proxies: tuple[Variable, ...]
    exceptions: tuple[Variable, ...]
    hosts: tuple[str, ...] = _ALWAYS


def probe(target: Target, system: System) -> Facts:
    """Read the variables."""
    binds = [
        forward.bind.host
        for forward in target.forwards
        if forward.kind is not ForwardKind.REMOTE and isinstance(forward.bind, Endpoint)
    ]
    extra = [host for host in binds if is_loopback(host)]
    return Facts(
        system.os,
        _set(system, _PROXIES),
        _set(system, (_EXCEPTIONS,)),
        tuple(dict.fromkeys([*_ALWAYS, *extra]))[:16],
    )


def _set(system: System, names: tuple[str, ...]) -> tuple[Variable, ...]:
    # Windows knows one variable where others know two; the lower case one goes first (curl(1)).
    upper = () if system.os == "windows" else (str.upper,)
    spellings = [each(name) for name in names for each in (str.lower, *upper)]
    values = [(spelling, system.variable(spelling)) for spelling in spellings]
    return tuple(Variable(spelling, value) for spelling, value in values if value)


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Report proxies that are asked for addresses of this machine."""
    exceptions = facts.exceptions[0].value if facts.exceptions else ""
    missing = [host for host in facts.hosts if not bypasses(exceptions, host)]
    # ::1 counts where nothing else is missing only if it was asked for: few clients use it.
    if not facts.proxies or not set(missing) - {"::1"}:
        return ()
    shown = [clean(host, 60) for host in missing]
    names = ", ".join(each.name for each in facts.proxies)
    where = proxy_host(facts.proxies[0].value)
    # An HTTP proxy on this machine means the same localhost; a SOCKS one may be a tunnel.
    same = is_loopback(where) and not any("socks" in each.value[:9] for each in facts.proxies)
    wanted = ",".join(dict.fromkeys([*_entries(exceptions), *shown]))
    return (
        Finding(
            code=SWALLOWS,
            severity=Severity.INFO if same else Severity.WARNING,
            confidence=Confidence.POSSIBLE if same else Confidence.LIKELY,
            subject=names,
            title=f"Programs that heed {names} ask the proxy {clean(where, 80)} for "
            f"{', '.join(shown)}",
            explain="They do not reach forwards on this machine: localhost is then the proxy's "
            "own. curl and Python make no exception of their own, browsers do.",
            evidence=tuple(
                Evidence(each.name, clean(each.value))
                for each in (*facts.proxies, *facts.exceptions)
            ),
            fixes=_fixes(facts.os, wanted),
        ),
    )


def _entries(exceptions: str) -> list[str]:
    """Return what is set already, as far as it can be put into a command as it is."""
    words = [word for word in exceptions.replace(",", " ").split() if word.isascii()]
    return [word for word in words if all(c.isalnum() or c in ".:-_*/[]" for c in word)][:100]


def _fixes(os: str, wanted: str) -> tuple[Fix, ...]:
    if os == "windows":
        note = "for programs that are started from now on"
        return (Fix(("setx", "NO_PROXY", wanted), persistent=True, note=note),)
    profile = "~/.zprofile" if os == "darwin" else "~/.profile"
    line = f"export NO_PROXY={wanted} no_proxy={wanted}"
    return (
        Fix(
            ("sh", "-c", f"echo '{line}' >> {profile}"),
            persistent=True,
            note=f"from the next login on; at once in a shell: {line}",
        ),
    )


CHECK = Check(
    code="proxy-variables",
    title="proxy variables",
    probe=probe,
    judge=judge,
    finds=(Kind(SWALLOWS, "programs send what is meant for this machine to a proxy"),),
)
