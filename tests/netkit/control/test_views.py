from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.control import views
from netkit.control.protocol import ControlError
from netkit.events import State, plain
from netkit.model import Endpoint, UnixPath
from support.supervised import FLOW, view

WHOLE = plain(view(retry_in=3.0, state=State.WAITING))


def test_a_view_comes_back():
    for each in (view(), view(retry_in=1.5, code="link-lost", reason="gone", links=())):
        came = views.tunnel_view(json.loads(json.dumps(plain(each))))
        assert (came.state, came.links, came.retry_in) == (each.state, each.links, each.retry_in)
        assert plain(came) == plain(each)


def test_flows_come_back():
    (came,) = views.flow_views(json.loads(json.dumps([plain(FLOW)])))
    assert plain(came) == plain(FLOW)
    (came,) = views.flow_views([{**plain(FLOW), "forward": None}])
    assert came.forward is None


def test_addresses_come_back():
    at = (Endpoint("::1", 80), UnixPath("/run/x"))
    assert views.addresses(plain(at)) == at


def test_what_a_newer_one_says_is_ignored_and_defaults_may_be_missing():
    said = copy.deepcopy(WHOLE)
    said["mood"] = "good"
    del said["links"][0]["cipher"]
    assert views.tunnel_view(said).links[0].cipher == ""


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_missing_or_wrong_member_is_an_error(name: str):
    without = {key: value for key, value in WHOLE.items() if key != name}
    for said in (without, {**WHOLE, name: {"x": 1}}):
        with pytest.raises(ControlError) as caught:
            views.tunnel_view(said)
        assert caught.value.code == "control-protocol"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.data())
def test_anything_gives_a_view_or_a_control_error(data):
    said = copy.deepcopy(WHOLE)
    place = data.draw(st.sampled_from([said, said["links"][0], said["forwards"][0]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    for parse in (views.tunnel_view, views.flow_views, views.addresses):
        try:
            parse(said if parse is views.tunnel_view else data.draw(JSON))
        except ControlError as error:
            assert error.code == "control-protocol"


def test_a_huge_list_is_no_list():
    with pytest.raises(ControlError):
        views.addresses([None] * (views.MAX_ITEMS + 1))
