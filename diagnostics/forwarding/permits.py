"""Which rule of the gateway forbids a forward: a setting of sshd, or an option of the key.

Pure.  That a forward is refused was seen elsewhere; here is only why, as far as what a shell on the
gateway could read tells (session.c, do_authenticated, in OpenSSH).
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.forwarding.fixes import add_permission, allow_forwarding, set_option, told
from diagnostics.forwarding.shell import Asked, by_hand, why
from diagnostics.model import Confidence, Evidence
from diagnostics.parsers.key_options import KeyLine
from diagnostics.parsers.sshd_config import Setting
from netkit.model import Fix

LOCAL, REMOTE = "local", "remote"

LOCAL_PROHIBITED = "local-forwarding-prohibited"
REMOTE_PROHIBITED = "remote-forwarding-prohibited"
SOCKETS_PROHIBITED = "streamlocal-forwarding-prohibited"
"""Codes that make others mere consequences."""

_LISTS = {LOCAL: "PermitOpen", REMOTE: "PermitListen"}
_SOCKETS = "AllowStreamLocalForwarding"
_TCP = "AllowTcpForwarding"
_NONE = "DisableForwarding"
_FREE = ("any",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """What forbids a forward.

    Attributes:
        scope: ``all`` (every forward in that direction), ``listed`` (all but those in a list) or
            empty (not known).
        because: a sentence that says what it is.
        allowed: what the list of a ``listed`` one allows, as it is written.
        evidence: what was read.
        fixes: how it is lifted.
        confidence: whether the rule was read, or only supposed.
    """

    scope: str = ""
    because: str = ""
    allowed: str = ""
    evidence: tuple[Evidence, ...] = ()
    fixes: tuple[Fix, ...] = ()
    confidence: Confidence = Confidence.CERTAIN


def barrier(
    direction: str, asked: Asked, key: KeyLine | None, wanted: str = "", *, socket: bool = False
) -> Barrier:
    """Return what forbids forwards in ``direction`` (`LOCAL` or `REMOTE`).

    ``wanted`` is the ``host:port`` that a list should allow; ``socket`` asks about unix sockets.
    """
    config = asked.survey.config
    for keyword, allowing in _switches(socket=socket):
        setting = config.get(keyword)
        if setting is not None and not _allows(keyword, setting, direction):
            return _of_setting(asked, setting, f"{keyword} {allowing}")
    if key is not None and key.forbids_forwarding:
        return _of_key(key)
    name = _LISTS[direction]
    listed = config.get(name)
    if listed is not None and tuple(map(str.lower, listed.words)) != _FREE:
        return _of_list(asked, listed, name, wanted)
    if key is not None and (values := key.values(name.lower())):
        return _of_key_list(key, name.lower(), values, wanted)
    return _supposed(direction, asked, socket=socket)


def _switches(*, socket: bool) -> tuple[tuple[str, str], ...]:
    """Return the keywords that forbid at once, and the value that allows."""
    tcp = (_TCP, "yes")
    # What forbids TCP in a direction forbids sockets too: they share one list of permissions.
    return ((_NONE, "no"), tcp, (_SOCKETS, "yes")) if socket else ((_NONE, "no"), tcp)


def _allows(keyword: str, setting: Setting, direction: str) -> bool:
    value = setting.words[0].lower() if setting.words else ""
    if keyword == _NONE:
        return value != "yes"
    return value in ("yes", "all", direction)


def _of_setting(asked: Asked, setting: Setting, line: str) -> Barrier:
    where = f" ({setting.place})" if setting.place else ""
    return Barrier(
        scope="all",
        because=f"Its sshd is configured so: {told(setting)}{where}.",
        evidence=(Evidence(setting.place or "sshd -T", told(setting)),),
        fixes=(set_option(asked, line),),
    )


def _of_key(key: KeyLine) -> Barrier:
    return Barrier(
        scope="all",
        because=(
            f"The key that logged in has the option {key.forbids_forwarding} in {key.place}, "
            "which forbids every forward."
        ),
        evidence=(Evidence(key.place, ",".join(key.options)[:200]),),
        fixes=(allow_forwarding(key),),
    )


def _of_list(asked: Asked, setting: Setting, name: str, wanted: str) -> Barrier:
    where = f" ({setting.place})" if setting.place else ""
    words = [word for word in setting.words if word.lower() != "none"]
    line = f"{name} {' '.join([*words, wanted])}" if wanted else f"{name} any"
    return Barrier(
        scope="listed",
        because=f"Its sshd allows only what is listed: {told(setting)}{where}.",
        allowed=setting.text,
        evidence=(Evidence(setting.place or "sshd -T", told(setting)),),
        fixes=(set_option(asked, line),),
    )


def _of_key_list(key: KeyLine, option: str, values: tuple[str, ...], wanted: str) -> Barrier:
    allowed = " ".join(values)[:200]
    return Barrier(
        scope="listed",
        because=f"The key that logged in is limited in {key.place} to {option} {allowed}.",
        allowed=allowed,
        evidence=(Evidence(key.place, ",".join(key.options)[:200]),),
        fixes=(add_permission(key, option, wanted),) if wanted else (),
    )


def _supposed(direction: str, asked: Asked, *, socket: bool) -> Barrier:
    """Nothing that was read says it: a Match block does, a certificate, or it could not be read."""
    config = asked.survey.config
    names = [keyword for keyword, _ in _switches(socket=socket)]
    names.append(_LISTS[direction])
    line = f"{_SOCKETS if socket else _TCP} yes"
    fixes = (set_option(asked, line), _look(names))
    matched = [setting for name in names for setting in config.matched(name)]
    if matched:
        each = matched[0]
        return Barrier(
            because=f"A block 'Match {each.match}' of its sshd_config sets {told(each)}.",
            evidence=(Evidence(each.place, told(each)),),
            fixes=fixes,
            confidence=Confidence.LIKELY,
        )
    if asked.server and not asked.is_openssh:
        because = f"Its server ({asked.server}) has rules of its own."
        return Barrier(because=because, fixes=fixes[:1], confidence=Confidence.LIKELY)
    rules = ", ".join(names[:-1])
    because = f"Its configuration says why ({rules} or {names[-1]}, or options of the key)"
    if asked.outcome:
        because += f", and cannot be read: {why(asked)}"
    return Barrier(because=f"{because}.", fixes=fixes, confidence=Confidence.LIKELY)


def _look(names: list[str]) -> Fix:
    pattern = "|".join(names)
    return by_hand(
        *("sh", "-c", f'sshd -T | grep -Ei "{pattern}"'),
        note="prints what is in force there",
        needs_admin=True,
    )
