"""Profiles of other programs' settings, and for ssh."""

from __future__ import annotations

import subprocess

import pytest

from netkit import profiles
from netkit.model import Gateway
from support.cli import run_cli
from support.peers import require

CONFIG = """\
Include {folder}/more*
Host db web-*
  HostName 10.0.0.1
  LocalForward 5432 db:5432
  RemoteForward 1080
  ForwardAgent yes
Host plain
  User x
"""
ALIAS = 'server = "gw"\nsource = [":8081"]\ndestination = ["web:80"]\n'
TUNNEL = '[[tunnels]]\nname = "dev"\nlocal = "9000"\nremote = "9000"\nhost = "${GW}"\n'


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(profiles.VARIABLE, str(tmp_path / "profiles.toml"))
    for name in ("BORING_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def import_(*argv):
    return run_cli("profile", "import", *argv)


class TestSshConfig:
    @pytest.fixture(params=["ssh", "none"])
    def config(self, request, monkeypatch, home):
        """A configuration, as the real ssh and as netkit's own reader resolve it."""
        monkeypatch.setenv("NETKIT_SSH", str(require("ssh")) if request.param == "ssh" else "none")
        (home / "more1").write_text("Host inc\n  DynamicForward 1080\n")
        path = home / "config"
        path.write_text(CONFIG.format(folder=home))
        return str(path)

    def test_all(self, config):
        done = import_("ssh-config", "-F", config)
        assert (done.code, done.out.splitlines()) == (
            0,
            [
                "db: added",
                "db: left out: ForwardAgent: an agent is never forwarded",
                "inc: added",
            ],
        )
        tunnel = profiles.get("db").tunnel
        assert (tunnel.gateway, str(tunnel.config_file)) == (Gateway("db"), config)
        assert [str(each) for each in tunnel.forwards] == ["5432:db:5432", "1080"]
        assert import_("ssh-config", "-F", config).out.splitlines()[0] == "db: unchanged"

    def test_one(self, config):
        assert import_("ssh-config", "-F", config, "web-1").out.splitlines()[0] == "web-1: added"
        done = import_("ssh-config", "-F", config, "plain")
        assert (done.code, done.err.splitlines()[0]) == (
            2,
            "netkit: ssh_config has no forwards for plain [no-forward]",
        )
        assert import_("ssh-config", "-F", config, "-x").code == 2
        assert import_("ssh-config", "-F", config, "a b").code == 2

    def test_none(self, home):
        (home / "empty").touch()
        done = import_("ssh-config", "-F", str(home / "empty"))
        assert (done.code, done.err) == (0, "netkit: no host of ssh_config has forwards\n")

    def test_a_host_that_cannot_be_a_gateway(self, config, home):
        (home / "config").write_text("Host a{b db\n  DynamicForward 1080\n")
        done = import_("ssh-config", "-F", config)
        assert done.out == "db: added\n"
        assert done.err.startswith("netkit: left out: 'a{b' is not an address")

    def test_a_configuration_that_is_wrong(self, config, home):
        (home / "config").write_text("Host db\n  Port many\n")
        done = import_("ssh-config", "-F", config)
        assert (done.code, done.out) == (2, "")


class TestMole:
    def test_a_folder(self, home):
        (home / ".mole").mkdir()
        (home / ".mole/web.toml").write_text(ALIAS)
        (home / ".mole/db.toml").write_text(ALIAS + "insecure = true\n")
        done = import_("mole", "--prefix", "m-")
        assert (done.code, done.out.splitlines()) == (
            0,
            [
                "m-db: added",
                "m-db: left out: insecure: host keys are always checked",
                "m-web: added",
            ],
        )
        assert [str(each) for each in profiles.get("m-web").tunnel.forwards] == [
            "127.0.0.1:8081:web:80"
        ]

    def test_one_file(self, home):
        (home / "x.toml").write_text(ALIAS)
        assert import_("mole", str(home / "x.toml"), "--dry-run").out == "x: would be added\n"

    def test_none(self, home):
        done = import_("mole")
        assert (done.code, "cannot be read" in done.err) == (2, True)
        (home / ".mole").mkdir()
        assert import_("mole").err == f"netkit: no alias is in {home}/.mole\n"

    def test_one_that_is_wrong_saves_none(self, home):
        (home / ".mole").mkdir()
        (home / ".mole/a.toml").write_text(ALIAS)
        (home / ".mole/b.toml").write_text("server = 1.5\n")
        done = import_("mole")
        assert (done.code, done.out) == (2, "")
        assert f"{home}/.mole/b.toml line 1: at server: a text is expected" in done.err
        assert profiles.load().names == ()


class TestBoring:
    @pytest.mark.parametrize("place", [".boring.toml", ".config/boring/.boring.toml"])
    def test_where_it_keeps_them(self, home, monkeypatch, place):
        monkeypatch.setenv("GW", "dev-server")
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(TUNNEL)
        assert import_("boring").out == "dev: added\n"
        assert profiles.get("dev").tunnel.gateway == Gateway("dev-server")

    def test_where_it_is_told(self, home, monkeypatch):
        (home / "b.toml").write_text(TUNNEL.replace("${GW}", "gw"))
        monkeypatch.setenv("BORING_CONFIG", "~/b.toml")
        assert import_("boring").out == "dev: added\n"
        assert import_("boring", str(home / "b.toml")).out == "dev: unchanged\n"

    def test_none(self, home):
        (home / "b.toml").touch()
        done = import_("boring", str(home / "b.toml"))
        assert done.err == f"netkit: no tunnel is in {home}/b.toml\n"
        assert import_("boring").code == 2


class TestAutossh:
    LINE = "autossh -M 0 -N -L 5432:db:5432 -A me@gw"

    def test_words(self):
        done = import_("autossh-command-line", "--name", "db", "--", *self.LINE.split())
        assert (done.code, done.out.splitlines()) == (
            0,
            ["db: added", "db: left out: -A: an agent is never forwarded"],
        )
        assert profiles.get("db").tunnel.gateway == Gateway("gw", "me")

    def test_a_line(self):
        assert import_("autossh-command-line", self.LINE).out.splitlines()[0] == "gw: added"
        done = import_("autossh-command-line", self.LINE.replace("5432:db", "5433:db"))
        assert done.code == 2
        assert done.err.splitlines()[-1].endswith("me@gw' --prefix new-")

    def test_a_line_that_is_none(self):
        assert (
            "cannot be divided: no closing quotation"
            in import_("autossh-command-line", "ssh 'gw").err
        )


class TestExport:
    def test_ssh_reads_it(self, home):
        run_cli("profile", "save", "db", "me@gw:2222", "-L", "5432:db:5432", "--keepalive", "auto")
        run_cli("profile", "save", "web", "gw", "-D", "1080")
        done = run_cli("profile", "export", "ssh-config", "db", "web", "db")
        assert done.err == (
            "netkit: db: left out: keepalive auto: ssh has one interval for all networks\n"
        )
        (home / "config").write_text(done.out)
        said = subprocess.run(
            [require("ssh"), "-G", "-F", home / "config", "db"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        assert {"hostname gw", "user me", "port 2222", "localforward 5432 [db]:5432"} <= set(said)

    def test_a_gateway_that_is_an_alias(self, monkeypatch):
        monkeypatch.setattr("netkit.environment.config_aliases", lambda: ("gw", "db"))
        run_cli("profile", "save", "db", "db", "-D", "1080")
        run_cli("profile", "save", "web", "gw", "-D", "1080")
        done = run_cli("profile", "export", "ssh-config", "db", "web")
        assert done.err == "netkit: web: left out: what ssh_config says of gw\n"

    def test_unknown(self):
        done = run_cli("profile", "export", "ssh-config", "x")
        assert (done.code, done.out) == (2, "")
