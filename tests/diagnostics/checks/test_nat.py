"""Whether there is a NAT, from the two views of one connection."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.checks.nat import CHECK, Facts, judge, probe
from diagnostics.model import Finding, NatOptions, Severity, Target, Unknown
from diagnostics.ssh import RemoteOutput, Route
from netkit.model import Endpoint
from support.machine import HOP, LOGIN, FakeSsh, FakeSystem

TARGET = Target(gateway="me@gw")
LOCAL = Endpoint("192.0.2.10", 50000)
PEER = Endpoint("198.51.100.1", 22)
SEEN = Endpoint("203.0.113.5", 50000)
FACTS = Facts(gateway="me@gw", local=LOCAL, peer=PEER, source=SEEN, server=PEER, command="ran")
POSIX = "echo $SSH_CONNECTION"
POWERSHELL = "echo $env:SSH_CONNECTION"
CMD = "echo %SSH_CONNECTION%"
LINE = "203.0.113.5 50000 198.51.100.1 22\n"


def codes(facts):
    return [each.code if isinstance(each, Finding) else "?" for each in judge(facts)]


def only(facts: Facts) -> Finding:
    (found,) = judge(facts)
    assert isinstance(found, Finding)
    return found


def unknown_of(facts: Facts) -> Unknown:
    (found,) = judge(facts)
    assert isinstance(found, Unknown)
    return found


class TestProbe:
    def probe(self, answers, target=TARGET, **more):
        return probe(target, FakeSystem(ssh=FakeSsh(run=answers), **more))

    def test_a_posix_shell(self):
        assert self.probe({POSIX: LINE}) == FACTS

    def test_powershell(self):
        assert self.probe({POSIX: "\r\n", POWERSHELL: LINE}).source == SEEN

    def test_cmd(self):
        answers = {POSIX: "$SSH_CONNECTION\r\n", POWERSHELL: "$env:\r\n", CMD: LINE}
        assert self.probe(answers).source == SEEN

    def test_a_shell_that_does_not_know(self):
        facts = self.probe({POSIX: "\n", POWERSHELL: ":SSH_CONNECTION\n", CMD: "%%\n"})
        assert (facts.source, facts.server, facts.command) == (None, None, "ran")

    def test_no_commands_are_not_asked_for_twice(self):
        asked: list[str] = []

        def refuse(command):
            asked.append(command)
            return RemoteOutput(command=command, outcome="refused")

        assert self.probe(refuse).command == "refused"
        assert asked == [POSIX]

    def test_through_a_jump_host_nothing_is_asked(self):
        ssh = FakeSsh(route=Route(hops=(HOP, HOP)), run=lambda _command: pytest.fail("asked"))
        facts = probe(TARGET, FakeSystem(ssh=ssh))
        assert not facts.direct

    def test_a_proxy_command_has_no_connection_of_ours(self):
        ssh = FakeSsh(login=replace(LOGIN, local=None, peer=None))
        assert not probe(TARGET, FakeSystem(ssh=ssh)).direct

    @pytest.mark.parametrize(
        ("files", "platform"),
        [
            ({"sys_vendor": b"Amazon EC2\n"}, "aws"),
            ({"sys_vendor": b"Google\n"}, "gcp"),
            (
                {
                    "sys_vendor": b"Microsoft Corporation\n",
                    "chassis_asset_tag": b"7783-7084-3265-9085-8269-3286-77\n",
                },
                "azure",
            ),
            ({"sys_vendor": b"Microsoft Corporation\n"}, ""),
            ({}, ""),
        ],
    )
    def test_platform(self, files, platform):
        files = {f"/sys/class/dmi/id/{name}": data for name, data in files.items()}
        assert self.probe({POSIX: LINE}, files=files).platform == platform
        assert self.probe({POSIX: LINE}, files=files, os="darwin").platform == ""

    def test_whether_it_is_measured_in_this_run(self):
        assert self.probe({POSIX: LINE}, Target(gateway="gw", nat=NatOptions())).measuring

    def test_it_needs_a_gateway(self):
        assert CHECK.applies(Target())
        assert not CHECK.applies(TARGET)


class TestJudge:
    def test_the_same_address_is_no_nat(self):
        assert codes(replace(FACTS, source=LOCAL)) == []

    def test_ipv4_in_ipv6_is_the_same_address(self):
        mapped = Endpoint("::ffff:192.0.2.10", 50000)
        assert codes(replace(FACTS, source=LOCAL, local=mapped)) == []

    def test_a_nat_that_keeps_the_port(self):
        finding = only(FACTS)
        assert finding.code == "nat-present"
        assert finding.severity is Severity.INFO
        assert "203.0.113.5:50000" in finding.title
        assert "keeps the port" in finding.explain
        assert "A guess: 7440 s" in finding.explain
        assert finding.fixes[0].argv == ("netkit", "doctor", "me@gw", "--nat")

    def test_a_nat_that_changes_it(self):
        finding = only(replace(FACTS, source=Endpoint("203.0.113.5", 1024)))
        assert "changes the port" in finding.explain

    def test_only_the_port_is_changed(self):
        finding = only(replace(FACTS, source=Endpoint("192.0.2.10", 1024)))
        assert "something that changes ports" in finding.title

    def test_a_guess_is_called_one(self):
        finding = only(replace(FACTS, platform="aws"))
        assert "A guess, because this machine runs on Amazon EC2" in finding.explain
        priors = [each.what for each in finding.evidence if "not measured" in each.what]
        assert len(priors) == 4

    def test_no_guess_where_it_is_measured(self):
        finding = only(replace(FACTS, measuring=True, platform="aws"))
        assert "guess" not in finding.explain.lower()
        assert finding.fixes == ()

    def test_a_gateway_behind_a_port_forward(self):
        inner = replace(FACTS, source=LOCAL, server=Endpoint("10.0.0.5", 22))
        assert codes(inner) == ["nat-gateway-translated"]

    @pytest.mark.parametrize("local", ["10.0.0.5", "100.64.0.9", "192.168.1.2"])
    def test_a_private_address_here_and_a_public_one_there_need_a_nat(self, local):
        facts = replace(
            FACTS,
            local=Endpoint(local, 9),
            peer=Endpoint("8.8.8.8", 22),
            source=None,
            server=None,
            command="refused",
        )
        finding = only(facts)
        assert finding.code == "nat-present"
        assert "There must be a NAT" in finding.title

    @pytest.mark.parametrize(
        ("local", "peer"),
        [
            ("10.0.0.5", "10.0.0.6"),
            ("8.8.4.4", "8.8.8.8"),
            ("fd00::1", "2600::1"),
            ("127.0.0.1",) * 2,
        ],
    )
    def test_otherwise_it_is_not_known(self, local, peer):
        facts = replace(
            FACTS, local=Endpoint(local, 9), peer=Endpoint(peer, 22), source=None, server=None
        )
        assert unknown_of(facts).subject

    @pytest.mark.parametrize(
        ("command", "why"),
        [
            ("ran", "does not know SSH_CONNECTION"),
            ("refused", "runs no commands"),
            ("timed-out", "timed-out"),
            ("", "not done"),
        ],
    )
    def test_why_it_is_not_known(self, command, why):
        facts = replace(FACTS, peer=None, source=None, server=None, command=command)
        unknown = unknown_of(facts)
        assert why in unknown.reason

    def test_behind_another_host_it_is_not_known(self):
        assert codes(replace(FACTS, direct=False)) == ["?"]
        assert codes(replace(FACTS, local=None)) == ["?"]

    @pytest.mark.parametrize("gateway", ["", "-oProxyCommand=x"])
    def test_no_command_for_a_name_that_is_none(self, gateway):
        finding = only(replace(FACTS, gateway=gateway))
        assert finding.fixes == ()

    ends = st.none() | st.builds(
        Endpoint,
        st.text() | st.sampled_from(["10.0.0.1", "8.8.8.8", "::1", "100.64.0.1"]),
        st.integers(),
    )

    @given(
        st.builds(
            Facts,
            gateway=st.text(),
            direct=st.booleans(),
            local=ends,
            peer=ends,
            source=ends,
            server=ends,
            command=st.text(),
            platform=st.text() | st.sampled_from(["aws", "gcp"]),
            measuring=st.booleans(),
        )
    )
    def test_total(self, facts):
        allowed = {kind.code for kind in CHECK.finds} | {"?"}
        assert set(codes(facts)) <= allowed
