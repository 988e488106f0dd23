"""Reading the configuration in force, by ssh and by netkit's own reader."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from netkit import environment
from netkit.environment import read_environment
from netkit.errors import ConfigError, ResourceError, UsageError
from netkit.model import Gateway, Plan, TunnelSpec
from netkit.plan import Environment, make_plan
from netkit.text.endpoints import parse_gateway
from support import peers

READERS = ["ssh", "none"]


@pytest.fixture(autouse=True)
def _no_choice_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETKIT_SSH", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "config"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def read(path: Path | None, reader: str, gateway: str = "gw", **options: object) -> Environment:
    if reader == "ssh":
        peers.require("ssh")
    spec = TunnelSpec(gateway=parse_gateway(gateway), config_file=path, **options)  # type: ignore[arg-type]
    return read_environment(spec, ssh=reader)


def fake_ssh(tmp_path: Path, script: str) -> str:
    path = tmp_path / "fake-ssh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("reader", READERS)
def test_every_gateway_of_the_chain_is_read(config: Callable[[str], Path], reader: str):
    path = config("Host gw\n ProxyJump b,u@c:7\nHost b\n ProxyJump a\nHost c\n User never\n")
    found = read(path, reader, "me@gw:99")
    assert set(found.hosts) == {
        Gateway("gw", "me", 99),
        Gateway("c", "u", 7),
        Gateway("b"),
        Gateway("a"),
    }
    assert found.options(Gateway("gw", "me", 99))["port"] == ("99",)
    assert found.options(Gateway("c", "u", 7))["user"] == ("u",)


@pytest.mark.parametrize("reader", READERS)
def test_errors_name_file_and_line(config: Callable[[str], Path], reader: str):
    path = config("Host gw\n Bogus yes\n")
    with pytest.raises(ConfigError) as caught:
        read(path, reader)
    assert caught.value.exit_code == 2
    assert str(path) in caught.value.summary
    assert "2: " in caught.value.summary
    assert "bogus" in caught.value.summary.lower()
    assert caught.value.fixes


@pytest.mark.parametrize("reader", READERS)
def test_missing_config_file(tmp_path: Path, reader: str):
    with pytest.raises(ConfigError, match=r"nowhere.*No such file"):
        read(tmp_path / "nowhere", reader)


@pytest.mark.parametrize("reader", READERS)
def test_none_is_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").write_text("Port 1\n")
    assert read(Path("none"), reader).options(Gateway("gw"))["port"] == ("22",)


@pytest.mark.parametrize("reader", READERS)
def test_loop_is_found(config: Callable[[str], Path], reader: str):
    path = config("Host gw\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n")
    with pytest.raises(ConfigError, match="circles"):
        read(path, reader)


@pytest.mark.parametrize("reader", READERS)
def test_jump_to_itself(config: Callable[[str], Path], reader: str):
    with pytest.raises(ConfigError, match=r"loop|itself"):
        read(config("Host *\n ProxyJump gw\n"), reader)


@pytest.mark.parametrize("reader", READERS)
def test_includes(config: Callable[[str], Path], tmp_path: Path, reader: str):
    directory = tmp_path / "d"
    directory.mkdir()
    for name, text in (("b", "Port 2\nUser from-b"), ("a", "Port 1")):
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    found = read(config(f"Include {directory}/*\n"), reader).options(Gateway("gw"))
    assert found["port"] == ("1",)
    assert found["user"] == ("from-b",)


@pytest.mark.parametrize("reader", READERS)
def test_includes_that_others_can_write(config: Callable[[str], Path], tmp_path: Path, reader: str):
    included = tmp_path / "open"
    included.write_text("Port 1")
    included.chmod(0o666)
    with pytest.raises(ConfigError, match=r"can be changed by others|Bad owner or permissions"):
        read(config(f"Include {included}\n"), reader)


@pytest.mark.parametrize("reader", READERS)
def test_match_exec_runs(config: Callable[[str], Path], tmp_path: Path, reader: str):
    mark = tmp_path / "mark"
    path = config(f'Match exec "echo %n > {shlex.quote(str(mark))}"\n Port 5\n')
    assert read(path, reader).options(Gateway("gw"))["port"] == ("5",)
    assert mark.read_text() == "gw\n"


@pytest.mark.parametrize("reader", READERS)
def test_match_exec_that_hangs(
    config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, reader: str
):
    monkeypatch.setattr(environment, "SSH_TIMEOUT", 0.3)
    # The shell starts another process; nothing of it may be left behind.
    with pytest.raises(ConfigError, match="did not"):
        read(config('Match exec "sleep 100; true"\n Port 5\n'), reader)


PLANS = [
    """
    Host gw
      HostName 127.0.0.9
      User u
      IdentityFile ~/k-%h
      ProxyJump a,b@c:3
    Host c
      Port 77
      StrictHostKeyChecking accept-new
      IdentityAgent none
    Host a
      ProxyCommand nc -x %r %h %p
      HostKeyAlias AA
    """,
    """
    Host *
      ServerAliveInterval 5
      ServerAliveCountMax 2
      Ciphers aes128-gcm@openssh.com
      LocalForward 1 h:1
      RemoteForward 2
      RemoteForward /r/r /l/l
      DynamicForward 3
      LocalForward /a/b [::1]:4
      LocalForward 127.0.0.1:5 /x/y
    """,
    """
    Host *
      PreferredAuthentications password,publickey
      PubkeyAuthentication no
      UserKnownHostsFile /a '/b c' ~/d-%k
      GlobalKnownHostsFile none
      HashKnownHosts yes
      Compression yes
      ConnectTimeout 1m
      AddressFamily inet
      BindAddress 127.0.0.1
      CertificateFile ${HOME}/c
      IdentityAgent $AGENT
      BatchMode yes
      # Debian's ssh sets an interval of its own in batch mode.
      ServerAliveInterval 9
    """,
    """
    Match user me final
      Port 5
    Host gw
      User me
    """,
]


@pytest.mark.parametrize("text", PLANS)
def test_both_readers_lead_to_the_same_plan(
    config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, text: str
):
    monkeypatch.setenv("AGENT", "/run/agent")
    path = config(text)
    plans: list[Plan] = []
    for reader in READERS:
        spec = TunnelSpec(gateway=Gateway("gw"), config_file=path)
        plans.append(make_plan(spec, read(path, reader)))
    assert plans[0].hops == plans[1].hops
    assert [(f.kind, f.bind, f.to) for f in plans[0].forwards] == [
        (f.kind, f.bind, f.to) for f in plans[1].forwards
    ]
    assert plans[0].keepalive == plans[1].keepalive
    assert plans[0].warnings == plans[1].warnings


def test_only_the_variables_needed_are_kept(
    config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    monkeypatch.setenv("KEYS", "/keys")
    monkeypatch.setenv("TOKEN", "hunter2")
    found = read(config("IdentityFile ${KEYS}/a\n"), "none")
    assert found.local.variables == {"SSH_AUTH_SOCK": "/agent", "KEYS": "/keys"}


def test_home_and_default_identities(tmp_path: Path):
    directory = tmp_path / ".ssh"
    directory.mkdir()
    (directory / "id_ed25519").touch()
    (directory / "config").write_text("Port 5\n")
    (directory / "config").chmod(0o600)
    spec = TunnelSpec(gateway=Gateway("gw"))
    found = read_environment(spec, ssh="none", home=tmp_path)
    assert found.existing == {directory / "id_ed25519"}
    assert found.options(Gateway("gw"))["port"] == ("5",)
    assert make_plan(spec, found).hops[0].identities == (directory / "id_ed25519",)
    (directory / "config").chmod(0o660)
    with pytest.raises(ConfigError) as caught:
        read_environment(spec, ssh="none", home=tmp_path)
    assert caught.value.code == "config-not-private"
    assert caught.value.fixes[0].argv[:2] == ("chmod", "go-w")


def test_system_file_is_read_after_the_user_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Port 5\n")
    (tmp_path / ".ssh" / "config").chmod(0o600)
    system = tmp_path / "etc"
    system.mkdir()
    (system / "ssh_config").write_text("Include extra*\nPort 6\nUser sys\n")
    (system / "extra").write_text("Compression yes\n")
    (system / "extra").chmod(0o644)
    monkeypatch.setattr(environment, "_system_directory", lambda: system)
    spec = TunnelSpec(gateway=Gateway("gw"))
    found = read_environment(spec, ssh="none", home=tmp_path).options(Gateway("gw"))
    assert (found["port"], found["user"], found["compression"]) == (("5",), ("sys",), ("yes",))


def test_no_files_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "_system_directory", lambda: tmp_path)
    found = read_environment(TunnelSpec(gateway=Gateway("gw")), ssh="none", home=tmp_path)
    assert found.options(Gateway("gw"))["port"] == ("22",)
    assert found.existing == frozenset()


def test_choice_of_the_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    ssh = str(peers.require("ssh"))
    spec = TunnelSpec(gateway=Gateway("gw"), config_file=Path("none"))
    assert read_environment(spec).ssh == ssh
    monkeypatch.setenv("NETKIT_SSH", "none")
    assert read_environment(spec).ssh is None
    assert read_environment(spec, ssh=ssh).ssh == ssh
    monkeypatch.setenv("NETKIT_SSH", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError) as caught:
        read_environment(spec)
    assert caught.value.code == "no-such-ssh"
    monkeypatch.delenv("NETKIT_SSH")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_environment(spec).ssh is None


def test_user_without_an_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "somebody")
    found = read_environment(TunnelSpec(gateway=Gateway("gw"), config_file=Path("none")))
    assert found.ssh is None
    assert (found.local.home, found.local.user) == (str(tmp_path), "somebody")
    assert found.local.uid == os.getuid()


def test_ssh_that_says_nothing(tmp_path: Path):
    with pytest.raises(ConfigError, match="it said nothing"):
        read(Path("none"), fake_ssh(tmp_path, "exit 1"))


def test_ssh_that_cannot_be_run(tmp_path: Path):
    path = tmp_path / "no-program"
    path.write_bytes(b"\x7fELF junk")
    path.chmod(0o755)
    with pytest.raises(ConfigError, match="cannot be run"):
        read(Path("none"), str(path))


def test_what_is_handed_to_ssh(tmp_path: Path):
    log = tmp_path / "log"
    ssh = fake_ssh(tmp_path, f'echo "$@" >> {shlex.quote(str(log))}\necho port 22')
    read(Path("/some/file"), ssh, "me@gw:99")
    assert log.read_text().splitlines() == [
        "-G -F none -- netkit.invalid",
        "-G -F /some/file -l me -p 99 -- gw",
    ]


def test_option_injection_is_refused(tmp_path: Path):
    log = tmp_path / "log"
    ssh = fake_ssh(tmp_path, f"echo x >> {shlex.quote(str(log))}\necho proxyjump -oProxyCommand=x")
    for spec in (
        TunnelSpec(gateway=Gateway("-oProxyCommand=x")),
        TunnelSpec(gateway=Gateway("gw", "-oProxyCommand=x")),
        TunnelSpec(gateway=Gateway("gw"), user="-oProxyCommand=x"),
        TunnelSpec(gateway=Gateway("gw")),
    ):
        with pytest.raises(UsageError):
            read_environment(spec, ssh=ssh)


def test_odd_configuration_files(tmp_path: Path, config: Callable[[str], Path]):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    large = tmp_path / "large"
    large.write_text("#" * (1024 * 1024 + 1))
    for path, text in ((fifo, "regular file"), (large, "longer than"), (tmp_path, "read|regular")):
        with pytest.raises(ConfigError, match=text):
            read(path, "none")
    latin = config("")
    latin.write_bytes(b"User m\xfcller\n")
    assert read(latin, "none").options(Gateway("gw"))["user"] == ("m\udcfcller",)


def test_no_descriptors_left_is_no_fault_of_the_configuration(monkeypatch: pytest.MonkeyPatch):
    def exhausted(_command: list[str]) -> tuple[int, bytes, bytes]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(environment, "_run", exhausted)
    with pytest.raises(ResourceError, match="Too many open files") as caught:
        read(Path("none"), "ssh")
    assert (caught.value.exit_code, caught.value.retryable) == (3, True)


def test_include_that_names_too_many_files(
    tmp_path: Path, config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(environment, "MAX_INCLUDED", 2)
    for name in "abc":
        (tmp_path / f"x{name}").touch(mode=0o600)
    with pytest.raises(ConfigError, match="more than 2 files"):
        read(config(f"Include {tmp_path}/x*\n"), "none")


def test_match_exec_without_a_shell(config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHELL", "/no/shell")
    with pytest.raises(ConfigError, match="cannot be run"):
        read(config("Match exec x\n Port 5\n"), "none")


class TestAliases:
    def test_names_of_all_files_in_order(self, config: Callable[[str], Path], tmp_path: Path):
        (tmp_path / "more1").write_text("Host inc gw\n")
        (tmp_path / "more1").chmod(0o600)
        path = config(
            f"Include {tmp_path}/more* {tmp_path}/absent\nHost gw *.example !not\nHost db\n"
        )
        assert environment.config_aliases(path) == ("gw", "db", "inc")

    def test_of_the_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(environment, "_system_directory", lambda: tmp_path / "etc")
        folder = tmp_path / ".ssh"
        folder.mkdir()
        (folder / "config").write_text("Host gw\nInclude conf.d/*\n")
        (folder / "conf.d").mkdir()
        (folder / "conf.d/a").write_text("Host db\nInclude ~/.ssh/config\n")
        for file in (folder / "config", folder / "conf.d/a"):
            file.chmod(0o600)
        assert environment.config_aliases(home=tmp_path) == ("gw", "db")

    def test_a_file_that_cannot_be_read(self, tmp_path: Path):
        with pytest.raises(ConfigError, match="cannot be read"):
            environment.config_aliases(tmp_path / "absent")
