"""Wildcard patterns of ssh_config(5), section PATTERNS, and pattern lists.

``*`` stands for any run of characters, ``?`` for exactly one, a leading ``!`` negates an item of a
list.  Matching takes time proportional to pattern times text, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable


def matches(text: str, pattern: str) -> bool:
    """Tell whether the whole ``text`` matches ``pattern``; case matters."""
    at = behind = 0
    star = resume = -1
    while at < len(text):
        if behind < len(pattern) and pattern[behind] == "*":
            star, resume = behind, at
            behind += 1
        elif behind < len(pattern) and pattern[behind] in ("?", text[at]):
            at += 1
            behind += 1
        elif star >= 0:
            # Only the latest star ever needs to give way, so there is no exponential search.
            resume += 1
            at, behind = resume, star + 1
        else:
            return False
    return pattern[behind:].strip("*") == ""


def matches_list(text: str, patterns: Iterable[str]) -> bool:
    """Tell whether ``text`` matches a pattern list: some item, and no negated one.

    A negated item alone never makes a match.
    """
    found = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if matches(text, pattern[1:] if negated else pattern):
            if negated:
                return False
            found = True
    return found


def host_matches_list(host: str, patterns: str) -> bool:
    """Tell whether a host name matches a comma-separated list; case does not matter."""
    return matches_list(host.lower(), patterns.lower().split(","))
