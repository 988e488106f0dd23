"""The login: each stage at which it may end has a code of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.gateway_login import CHECK, STAGES, judge, probe
from diagnostics.model import Target
from diagnostics.ssh import Attempt, Login, Route
from support.machine import FakeSsh, FakeSystem

CODES = {kind.code for kind in CHECK.finds}


def test_logged_in():
    assert judge(probe(Target(gateway="gw"), FakeSystem())) == ()


@pytest.mark.parametrize(("stage", "code"), STAGES.items())
def test_each_stage(stage, code):
    login = Login(
        stage=stage,
        error="it\x1b failed",
        cause="because",
        server="SSH-2.0-x",
        methods=("publickey",),
        attempts=(Attempt(method="publickey", what="key", why="refused"),),
    )
    (finding,) = judge(probe(Target(), FakeSystem(ssh=FakeSsh(login=login))))
    assert finding.code == code
    assert finding.title == "it? failed"
    assert finding.evidence[-1].value == "publickey: refused"


def test_a_way_that_cannot_be_planned():
    ssh = FakeSsh(login=Login(), route=Route(error_code="bad-config", error="line 3", cause="c"))
    (finding,) = judge(probe(Target(), FakeSystem(ssh=ssh)))
    assert (finding.code, finding.title, finding.explain) == ("gateway-config-wrong", "line 3", "c")


@given(st.builds(Login, stage=st.text(max_size=5), error=st.text(), cause=st.text()))
def test_is_total(login):
    assert {each.code for each in judge(login)} <= CODES
