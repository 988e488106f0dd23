"""What holds for every recipe."""

from __future__ import annotations

import dataclasses

import pytest

from netkit.advise.choose import choose
from netkit.advise.keys import placeholders
from netkit.advise.model import Answers, Need, System, Technology
from netkit.advise.write import ROUTED, WRITERS, readme, recipe, wanted
from support import advice

NEEDS = [Need.LAN_TO_LAN, Need.HOST_TO_LAN]
ALL = [(technology, need) for technology in Technology for need in NEEDS]


def test_each_technology_has_a_writer():
    assert set(WRITERS) == set(Technology)


@pytest.mark.parametrize(("technology", "need"), ALL)
def test_recipes(technology, need):
    found = advice.made(technology, need)
    assert found.technology is technology
    assert found.steps
    paths = [each.path for each in found.files]
    assert len(paths) == len(set(paths))
    for each in found.files:
        assert each.text.endswith("\n")
        assert each.private == advice.holds_secret(each), each.path
    said = repr((found.steps, found.notes, found.warnings, readme(found)))
    assert not [secret for secret in advice.secrets() if secret in said]


@pytest.mark.parametrize(("technology", "need"), ALL)
def test_what_is_shown_has_no_secret(technology, need):
    shown = recipe(technology, advice.two_sites(technology, need), placeholders())
    assert not any(advice.holds_secret(each) for each in shown.files)
    written = advice.made(technology, need)
    assert [each.path for each in shown.files] == [each.path for each in written.files]
    assert shown.steps == written.steps


@pytest.mark.parametrize(("technology", "need"), ALL)
def test_what_changes_a_machine_says_its_undo(technology, need):
    found = advice.made(technology, need)
    for step in found.steps:
        if step.needs_admin and not step.undo:
            assert "Ctrl-C" in step.note or "reload" in step.argv
    for step in found.undo:
        assert step.argv


def test_every_file_that_a_command_names_is_there():
    for technology, need in ALL:
        found = advice.made(technology, need)
        there = {each.path for each in found.files} | {
            each.name for each in found.files if each.side == "gateway"
        }
        for step in (*found.steps, *found.undo):
            for word in step.argv:
                if word.startswith(("here/", "netkit0.", "netkit0-")):
                    assert word in there, (technology, word)


@pytest.mark.parametrize("technology", Technology)
def test_wanted_is_enough(technology):
    """The values that are asked for make a recipe; without one of them nothing would."""
    for need in Need:
        names = wanted(technology, need)
        given = {name: value for name, value in advice.GIVEN.items() if name in names}
        answers = Answers(need=need, root_here=True, root_gateway=True)
        from netkit.advise.questions import sites

        made = recipe(technology, sites(technology, answers, given, advice.keys()), advice.keys())
        assert made.steps
        assert ("local-net" in names) == (technology in ROUTED and need is Need.LAN_TO_LAN)


@pytest.mark.parametrize("system", System)
def test_every_system_that_fits_has_steps(system):
    for need in NEEDS:
        answers = Answers(need=need, root_here=True, root_gateway=True, here=system, gateway=system)
        for verdict in choose(answers).verdicts:
            if verdict.fits:
                found = advice.made(verdict.technology, need, here_os=system, gateway_os=system)
                words = {word for step in found.steps for word in step.argv}
                assert ("systemctl" in words) <= (system is System.LINUX)
                assert ("sysctl" in words) <= (system is System.LINUX)
                assert ("nft" in words) <= (system is System.LINUX)


def test_readme_has_it_all():
    found = dataclasses.replace(advice.made(Technology.WIREGUARD), warnings=("beware",))
    text = readme(found).text
    for word in ("WARNING: beware", "here/netkit0.conf", "(holds a key)", "To do", "To undo"):
        assert word in text
    assert "wg-quick up netkit0" in text
    assert text.index("wg-quick up") < text.index("wg-quick down")
