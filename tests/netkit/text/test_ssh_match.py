"""The Match line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.text.ssh_lines import Where
from netkit.text.ssh_match import Match, MatchFacts, evaluate_match

HERE = Where("config", 3)
FACTS = MatchFacts(
    host="gw.example",
    original_host="gw",
    user="you",
    local_user="me",
    final=False,
    expand=lambda command: command.replace("%n", "gw"),
    run=lambda command: command == "good gw",
)


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("all", True),
        ("All # comment", True),
        ("!all", False),
        ("host gw.example", True),
        ("host *.EXAMPLE", True),
        ("host gw", False),
        ("host other,*.example,!gw.*", False),
        ("originalhost gw", True),
        ("originalhost gw.example", False),
        ("user you", True),
        ("user me", False),
        ("!user me", True),
        ("localuser me", True),
        ("host=gw.example user=you", True),
        ("host gw.example user me", False),
        ('exec "good %n"', True),
        ('exec "bad %n"', False),
        ('!exec "bad %n"', True),
        ("final", False),
        ("!final", True),
        ("canonical", False),
        ("canonical all", False),
        ("host gw.example # user nobody", True),
    ],
)
def test_conditions(text: str, matched: bool):
    assert evaluate_match(text, HERE, FACTS).matched is matched


@pytest.mark.parametrize("text", ["final", "canonical", "final all", "canonical host gw.example"])
def test_final_pass(text: str):
    assert evaluate_match(text, HERE, replace(FACTS, final=True)).matched


def test_final_asks_for_a_pass_and_canonical_does_not():
    assert evaluate_match("host nobody final", HERE, FACTS) == Match(False, True)
    assert evaluate_match("canonical", HERE, FACTS) == Match(False, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tagged x", "unsupported Match condition 'tagged'"),
        ("host gw.example bogus x", "'bogus'"),
        ("localnetwork 10.0.0.0/8", "'localnetwork'"),
        ("host", "needs an argument"),
        ("host # gw", "needs an argument"),
        ("all host x", "stands alone"),
        ("# all", "needs a condition"),
        ('host "x', "needs an argument"),
        ('"host x', "open quote"),
    ],
)
def test_errors_name_file_and_line(text: str, message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        evaluate_match(text, HERE, FACTS)
    assert caught.value.summary.startswith("config:3: ")


def test_command_runs_only_when_everything_before_held():
    ran: list[str] = []

    def run(command: str) -> bool:
        ran.append(command)
        return True

    facts = replace(FACTS, run=run)
    evaluate_match("host nobody exec x", HERE, facts)
    assert ran == []
    assert evaluate_match("host gw.example exec x", HERE, facts).matched
    assert ran == ["x"]


@given(st.text() | st.text('all host final ! # = " exec user x'))
def test_anything_evaluates_or_is_a_config_error(text: str):
    try:
        evaluate_match(text, HERE, FACTS)
    except ConfigError:
        return
