"""Importing sessions: which, under what names, with which host keys; errors that are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit import profiles
from netkit.errors import ConfigError
from netkit.model import Gateway, Hop, Plan, TunnelSpec
from support.cli import Outcome, run_cli

RECORDED = Path(__file__).parents[3] / "recorded" / "putty"


class Desk:
    """A user's profiles and known_hosts, and folders of sessions."""

    def __init__(self, tmp_path: Path) -> None:
        self.profiles = tmp_path / "profiles.toml"
        self.known_hosts = tmp_path / "known_hosts"
        self.folder = tmp_path / "putty"
        (self.folder / "sessions").mkdir(parents=True)

    def session(self, file: str, *lines: str) -> None:
        text = "\n".join(["HostName=gw.example", "UserName=me", *lines, ""])
        (self.folder / "sessions" / file).write_text(text)

    def plan(self, spec: TunnelSpec) -> Plan:
        gateways = [*(spec.jumps or ()), spec.gateway]
        return Plan(hops=tuple(self._hop(gateway) for gateway in gateways))

    def _hop(self, gateway: Gateway) -> Hop:
        return Hop(
            alias=gateway.host,
            host=gateway.host,
            port=gateway.port or 22,
            known_hosts=(self.known_hosts,),
        )

    def run(self, *words: str, path: Path | None = None) -> Outcome:
        where = str(path or self.folder)
        return run_cli("profile", "import", "putty", where, *words, plan=self.plan)

    @property
    def names(self) -> list[str]:
        return sorted(each.name for each in profiles.load(self.profiles).profiles)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    monkeypatch.setenv("NETKIT_PROFILES", str(made.profiles))
    return made


def test_what_putty_recorded(desk: Desk):
    done = desk.run(path=RECORDED)
    assert done.code == 0
    assert desk.names == ["My-Office-100", "Office"]
    assert "session 'My Office (100%)' becomes profile My-Office-100" in done.err
    assert "Office: left out: AgentFwd=1: netkit never forwards the agent" in done.out
    assert "hunter2" not in done.out + done.err + desk.profiles.read_text()
    assert len(desk.known_hosts.read_text().splitlines()) == 5


def test_a_registry_file(desk: Desk):
    done = desk.run(path=RECORDED / "office.reg")
    assert done.code == 0
    assert desk.names == ["B-ro-100"]
    assert "Default Settings" not in done.out


def test_dry_run_saves_nothing(desk: Desk):
    done = desk.run("--dry-run", path=RECORDED)
    assert done.code == 0
    assert "Office: would be added" in done.out
    assert "would be added to" in done.out
    assert not desk.profiles.exists()
    assert not desk.known_hosts.exists()


def test_no_host_keys(desk: Desk):
    assert desk.run("--no-host-keys", path=RECORDED).code == 0
    assert not desk.known_hosts.exists()


def test_repeating_changes_nothing(desk: Desk):
    desk.run(path=RECORDED)
    saved = desk.profiles.read_bytes(), desk.known_hosts.read_bytes()
    done = desk.run(path=RECORDED)
    assert done.code == 0
    assert "Office: unchanged" in done.out
    assert (desk.profiles.read_bytes(), desk.known_hosts.read_bytes()) == saved


def test_another_profile_of_that_name(desk: Desk):
    desk.session("gw")
    desk.session("other")
    desk.run()
    desk.session("gw", "Compression=1")
    done = desk.run()
    assert done.code == 2
    assert "gw: exists, says something else" in done.out
    assert "other: unchanged" in done.out
    assert profiles.get("gw", desk.profiles).tunnel.compression is None
    assert desk.run("--prefix", "new-").code == 0
    assert "new-gw" in desk.names
    assert desk.run("--replace").code == 0
    assert profiles.get("gw", desk.profiles).tunnel.compression


def test_names_are_unique_and_stay(desk: Desk):
    for file in ("My%20gw", "My%3Fgw", "My-gw", "my-GW"):
        desk.session(file)
    desk.run()
    assert desk.names == ["My-gw", "My-gw-2", "My-gw-3", "my-GW-4"] or len(desk.names) == 4
    before = desk.profiles.read_bytes()
    done = desk.run("--session", "My?gw", "--session", "MY GW")
    assert done.code == 0
    assert done.out.count("unchanged") == 2
    assert desk.profiles.read_bytes() == before


@pytest.mark.parametrize("name", ["nothing", "My%20gw"])
def test_an_unknown_session(desk: Desk, name: str):
    desk.session("My%20gw")
    done = desk.run("--session", name)
    assert done.code == 2
    assert "unknown-session" in done.err
    assert "My gw" in done.err
    assert not desk.profiles.exists()


def test_what_is_no_tunnel_hides_no_other(desk: Desk):
    desk.session("bbs", "Protocol=telnet")
    desk.session("good")
    desk.session("Default%20Settings")
    (desk.folder / "sessions" / "bad").write_bytes(b"\0")
    done = desk.run()
    assert done.code == 0
    assert "bbs: not imported: PuTTY's session 'bbs' speaks 'telnet', not SSH" in done.out
    assert "not read" in done.err
    assert desk.names == ["good"]
    alone = desk.run("--session", "bbs")
    assert alone.code == 2
    assert "netkit forward me@gateway.example --bind 127.0.0.1:2023" in alone.err
    both = desk.run("--session", "bbs", "--session", "good")
    assert both.code == 2
    assert "good: unchanged" in both.out


def test_nothing_to_import(desk: Desk):
    assert "no-putty-sessions" in desk.run().err
    desk.session("Default%20Settings")
    assert "nothing-to-import" in desk.run().err


def test_the_configuration_is_remembered(desk: Desk, tmp_path: Path):
    desk.session("gw")
    desk.run("-F", str(tmp_path / "config"))
    assert profiles.get("gw", desk.profiles).tunnel.config_file == tmp_path / "config"


def test_keys_of_a_jump_and_of_a_logical_host(desk: Desk):
    desk.session("gw", "LogHost=logical", "ProxyMethod=6", "ProxyHost=front", "ProxyPort=22")
    lines = (RECORDED / "sshhostkeys").read_text().splitlines()
    (desk.folder / "sshhostkeys").write_text(
        f"{lines[3].replace('2222:gw.example', '22:logical')}\n"
        f"{lines[4].replace('2222:gw.example', '22:FRONT')}\n{lines[0]}\n"
    )
    done = desk.run()
    assert done.code == 0
    names = [line.split()[:2] for line in desk.known_hosts.read_text().splitlines()]
    assert names == [["front", "ssh-rsa"], ["gw.example", "ssh-ed25519"]]


def test_a_broken_ssh_config_costs_only_the_host_keys(desk: Desk):
    def broken(_spec: TunnelSpec) -> Plan:
        raise ConfigError("ssh_config is broken")

    done = run_cli("profile", "import", "putty", str(RECORDED), plan=broken)
    assert done.code == 0
    assert "host keys are not added: ssh_config is broken" in done.err
    assert len(desk.names) == 2
