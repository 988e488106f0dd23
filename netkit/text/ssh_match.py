"""The ``Match`` line of ssh_config(5): is the block that it heads in force?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netkit.text.patterns import host_matches_list, matches_list
from netkit.text.ssh_lines import Where, next_word

_ARGUMENT_WORDS = ("host", "originalhost", "user", "localuser", "exec")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchFacts:
    """What the words of a ``Match`` line are compared with.

    ``run`` executes a command, already expanded by ``expand``, and tells whether it succeeded.
    ``final`` is true in the pass that ``Match final`` asks for.
    """

    host: str
    original_host: str
    user: str
    local_user: str
    final: bool
    expand: Callable[[str], str]
    run: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Match:
    """Whether the block is in force, and whether the line asks for a final pass."""

    matched: bool
    wants_final: bool


def evaluate_match(text: str, where: Where, facts: MatchFacts) -> Match:
    """Evaluate what follows the keyword ``Match``.

    A command is run only when everything before it held.

    Raises:
        ConfigError: an unknown word, a word without its argument, a misplaced ``all``.
    """
    matched, wants_final, count = True, False, 0
    rest = text
    while rest:
        word, rest = next_word(rest)
        if word is None:
            raise where.error("an open quote")
        if word.startswith("#"):
            break
        negated = word.startswith("!")
        name = word.removeprefix("!").lower()
        if name == "all":
            if count > 1 or (rest and not rest.startswith("#")):
                raise where.error("'all' stands alone, or after 'canonical' or 'final'")
            return Match(matched and not negated, wants_final)
        count += 1
        if name in ("final", "canonical"):
            wants_final = wants_final or name == "final"
            holds = facts.final
        else:
            argument, rest = _argument(name, rest, where)
            holds = _holds(name, argument, facts, skip=not matched)
        matched = matched and holds != negated
    if not count:
        raise where.error("Match needs a condition", "Match all always holds")
    return Match(matched, wants_final)


def _argument(name: str, rest: str, where: Where) -> tuple[str, str]:
    if name not in _ARGUMENT_WORDS:
        raise where.error(
            f"unsupported Match condition {name!r}",
            "netkit's own reader knows all, canonical, final, exec, host, originalhost, user and "
            "localuser; where ssh is installed netkit asks ssh",
        )
    argument, rest = next_word(rest)
    if not argument or argument.startswith("#"):
        raise where.error(f"Match {name} needs an argument")
    return argument, rest


def _holds(name: str, argument: str, facts: MatchFacts, *, skip: bool) -> bool:
    if name == "host":
        return host_matches_list(facts.host, argument)
    if name == "originalhost":
        return host_matches_list(facts.original_host, argument)
    if name == "user":
        return matches_list(facts.user, argument.split(","))
    if name == "localuser":
        return matches_list(facts.local_user, argument.split(","))
    command = facts.expand(argument)
    return False if skip else facts.run(command)
