"""Can the way to the gateway be planned: ssh_config, the command line, the chain of jump hosts."""

from __future__ import annotations

from dataclasses import dataclass

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
from diagnostics.parsers.config_errors import Place, places
from diagnostics.parsers.text import clean
from diagnostics.system import System
from netkit.model import Fix

WRONG, UNREADABLE, NOT_PRIVATE = (
    "ssh-config-error",
    "ssh-config-unreadable",
    "ssh-config-not-private",
)
HANGS, LOOP, NO_METHOD = "ssh-config-hangs", "proxy-jump-loop", "no-auth-method"
IMPOSSIBLE, IGNORED = "gateway-plan-impossible", "ssh-config-ignored"

_MAX_WARNINGS = 10
_LOOP_WORDS = ("jumphost loop", "goes in circles", "leads to itself")


@dataclass(frozen=True, slots=True)
class Facts:
    """What became of the plan: its error, or the parts of the configuration that are ignored."""

    os: str
    gateway: str
    code: str = ""
    error: str = ""
    cause: str = ""
    warnings: tuple[str, ...] = ()
    planned: bool = True


def probe(target: Target, system: System) -> Facts:
    """Resolve the chain; this runs ``ssh -G`` where there is an ssh."""
    route = system.ssh.route()
    return Facts(
        os=system.os,
        gateway=target.gateway,
        code=route.error_code,
        error=route.error,
        cause=route.cause,
        warnings=route.warnings,
        planned=bool(route.hops),
    )


def judge(facts: Facts) -> tuple[Judgement, ...]:
    """Return why there is no plan, else what of the configuration is left out."""
    if facts.code:
        return (_error(facts),)
    if not facts.planned:
        return (Unknown(reason="the way to the gateway was not planned"),)
    return tuple(_ignored(text) for text in facts.warnings[:_MAX_WARNINGS])


def _error(facts: Facts) -> Finding:
    found = places(f"{facts.error}; {facts.cause}")
    text = f"{facts.error} {facts.cause}".lower()
    if any(word in text for word in _LOOP_WORDS) or facts.code == "too-many-hops":
        return _loop(facts)
    if facts.code == NO_METHOD:
        return _other(facts, NO_METHOD, _show_config(facts))
    if "match exec" in text and "within" in text:
        return _other(facts, HANGS, _show_config(facts))
    if found and (facts.code == "config-not-private" or "Bad owner" in found[0].what):
        return _not_private(facts, found[0])
    if found and found[0].line:
        return _wrong(facts, found)
    if found:
        return _unreadable(facts, found[0])
    return _other(facts, IMPOSSIBLE, ())


def _seen(facts: Facts) -> tuple[Evidence, ...]:
    seen = (Evidence("it said", clean(facts.error, 500)), Evidence("more", clean(facts.cause, 500)))
    return tuple(each for each in seen if each.value)


def _show_config(facts: Facts) -> tuple[Fix, ...]:
    host = facts.gateway.rpartition("@")[2]
    if not host or host.startswith("-"):
        return ()
    return (Fix(("ssh", "-G", host), note="shows what ssh_config says for it"),)


def _wrong(facts: Facts, found: tuple[Place, ...]) -> Finding:
    first = found[0]
    others = len([place for place in found if place.line]) - 1
    more = f" So are {others} more places." if others else ""
    if facts.os == "windows":
        path = first.file.replace("'", "''")
        show = f"Get-Content -LiteralPath '{path}' | Select-Object -Index {first.line - 1}"
        fix = Fix(("powershell", "-Command", show), note="shows the line; mend or remove it")
    else:
        fix = Fix(
            ("sed", "-n", f"{first.line}p", first.file), note="shows the line; mend or remove it"
        )
    return Finding(
        code=WRONG,
        subject=str(first),
        title=f"{first.file}, line {first.line}: {first.what}",
        explain=f"ssh reads no further than a wrong file, and neither does netkit.{more}",
        evidence=_seen(facts) + tuple(Evidence(str(p), p.what) for p in found[1:]),
        fixes=(fix,),
    )


def _not_private(facts: Facts, place: Place) -> Finding:
    return Finding(
        code=NOT_PRIVATE,
        subject=place.file,
        title=f"{place.file} can be changed by others, or belongs to somebody else",
        explain="A configuration can name commands to run, so ssh refuses one that is not its "
        "user's alone.",
        evidence=_seen(facts),
        fixes=(
            Fix(("chmod", "go-w", place.file), persistent=True, undo=("chmod", "g+w", place.file)),
            Fix(("ls", "-l", place.file), note="shows whose it is"),
        ),
    )


def _unreadable(facts: Facts, place: Place) -> Finding:
    fixes = () if facts.os == "windows" else (Fix(("ls", "-l", place.file)),)
    return Finding(
        code=UNREADABLE,
        subject=place.file,
        title=f"The configuration {place.file} cannot be used: {place.what}",
        explain="What it says about the gateway is unknown, so nothing was tried.",
        evidence=_seen(facts),
        fixes=fixes,
    )


def _loop(facts: Facts) -> Finding:
    note = "shows where ProxyJump is set, and for which hosts"
    show = Fix(("sh", "-c", "grep -n -i -E '^ *(host|match|proxyjump)' ~/.ssh/config"), note=note)
    if facts.os == "windows":
        line = r"Select-String -Pattern '^\s*(host|match|proxyjump)' $HOME\.ssh\config"
        show = Fix(("powershell", "-Command", line), note=note)
    return Finding(
        code=LOOP,
        subject=clean(facts.gateway),
        title=clean(facts.error, 400),
        explain="A jump host matches the very block that sets ProxyJump, often 'Host *'. Give it "
        "a block of its own with 'ProxyJump none' before that.",
        evidence=_seen(facts),
        fixes=(show,),
    )


def _other(facts: Facts, code: str, fixes: tuple[Fix, ...]) -> Finding:
    return Finding(
        code=code,
        subject=clean(facts.gateway),
        title=clean(facts.error or "the way to the gateway cannot be planned", 400),
        explain=clean(facts.cause, 500),
        evidence=(*_seen(facts), Evidence("netkit's code", clean(facts.code))),
        fixes=fixes,
    )


def _ignored(text: str) -> Finding:
    return Finding(
        code=IGNORED,
        severity=Severity.INFO,
        subject=clean(text, 80),
        title=f"ssh_config: {clean(text, 300)}",
        explain="ssh would do otherwise; the tunnel works without it, or as the text says.",
    )


CHECK = Check(
    code="gateway-config",
    title="the configuration for the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(WRONG, "ssh_config has an error, with file and line"),
        Kind(UNREADABLE, "an ssh_config file cannot be read"),
        Kind(NOT_PRIVATE, "ssh_config can be changed by others"),
        Kind(HANGS, "ssh -G does not answer: a command of 'Match exec' hangs"),
        Kind(LOOP, "ProxyJump leads back to itself"),
        Kind(NO_METHOD, "the configuration allows no way to log in"),
        Kind(IMPOSSIBLE, "the way to the gateway cannot be planned"),
        Kind(IGNORED, "an option of ssh_config that netkit does not carry out"),
    ),
    effects=(Effect.RUNS_TOOLS,),
    timeout=45.0,
    applies=with_gateway,
)
