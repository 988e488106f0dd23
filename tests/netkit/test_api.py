from __future__ import annotations

import importlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import netkit
from netkit import api, events
from netkit.errors import AuthenticationError, HostKeyError, UsageError
from netkit.model import (
    Endpoint,
    Endurance,
    ForwardKind,
    ForwardSpec,
    Gateway,
    HostKeyPolicy,
    Keepalive,
    TunnelSpec,
)
from support.profiles import OFFICE
from support.sshd import Sshd


class FakeTunnel:
    made: FakeTunnel

    def __init__(self, plan, *, prompter, password, observer):
        FakeTunnel.made = self
        self.plan, self.prompter, self.password, self.observer = plan, prompter, password, observer
        self.starts = 0

    def start(self):
        self.starts += 1


@pytest.fixture
def specs(monkeypatch):
    """Replace everything behind the spec; yields the specs that were asked for."""
    seen: list[TunnelSpec] = []

    def plan_of(spec: TunnelSpec) -> tuple[str, TunnelSpec]:
        seen.append(spec)
        return "plan", spec

    monkeypatch.setattr("netkit.environment.plan_of", plan_of)
    monkeypatch.setattr("netkit.engine.tunnel.Tunnel", FakeTunnel)
    return seen


def test_strings_are_local_forwards(specs):
    tunnel: object = netkit.open_tunnel("me@gw:2222", ["127.0.0.1:0:db:5432"])
    assert tunnel is FakeTunnel.made
    assert FakeTunnel.made.starts == 1
    assert specs[0].gateway == Gateway("gw", "me", 2222)
    (forward,) = specs[0].forwards
    assert (forward.kind, forward.bind, forward.to) == (
        ForwardKind.LOCAL,
        Endpoint("127.0.0.1", 0),
        Endpoint("db", 5432),
    )


def test_helpers_build_the_other_kinds(specs):
    given = ForwardSpec(ForwardKind.LOCAL, Endpoint("", 1), Endpoint("h", 2))
    netkit.open_tunnel(
        "gw",
        (
            netkit.local("1080:h:1"),
            netkit.remote("8080:localhost:80"),
            netkit.dynamic("1081"),
            given,
        ),
    )
    kinds = [forward.kind.value for forward in specs[0].forwards]
    assert kinds == ["local", "remote", "dynamic", "local"]
    assert specs[0].forwards[3] is given


def test_link_that_is_lost_is_made_again_unless_said_otherwise(specs):
    netkit.open_tunnel("gw")
    netkit.open_tunnel("gw", reconnect=False)
    netkit.open_tunnel("gw", retries=3, hold=0)
    assert [spec.endurance for spec in specs] == [
        Endurance(),
        Endurance(reconnect=False),
        Endurance(retries=3, hold=0),
    ]


def test_several_links_and_limits(specs):
    limits = netkit.Limits(flows=9, targets=("*.internal:443",))
    netkit.open_tunnel("gw", links="auto", limits=limits)
    netkit.open_tunnel("gw", links=3, via=["me@two:2222"], spread=True, takeover=True)
    assert specs[0].endurance == Endurance(links=0)
    assert specs[0].limits is limits
    assert specs[1].endurance == Endurance(links=3, spread=True, takeover=True)
    assert specs[1].via == (Gateway("two", "me", 2222),)


def test_nothing_said_is_nothing_decided(specs):
    netkit.open_tunnel("gw")
    for name in ("user", "port", "jumps", "config_file", "compression", "keepalive", "host_key"):
        assert getattr(specs[0], name) is None, name
    assert specs[0].forwards == specs[0].identities == specs[0].ciphers == ()
    assert specs[0].expose is False


def test_everything_said(specs):
    def observer(event: events.Event) -> None:
        raise AssertionError(event)

    prompter = object()
    netkit.open_tunnel(
        Gateway("gw"),
        user="me",
        port=22,
        identities=["a", Path("b")],
        password="pw",
        jumps=["j1", Gateway("j2")],
        config_file="cfg",
        compression=True,
        ciphers=["aes128-ctr"],
        macs=["hmac-sha2-256"],
        keepalive=Keepalive(1, 2),
        host_key="accept-new",
        connect_timeout=3.0,
        expose=True,
        prompter=prompter,  # type: ignore[arg-type]
        observer=observer,
    )
    spec, made = specs[0], FakeTunnel.made
    assert spec.identities == (Path("a"), Path("b"))
    assert spec.jumps == (Gateway("j1"), Gateway("j2"))
    assert spec.config_file == Path("cfg")
    assert (spec.ciphers, spec.macs) == (("aes128-ctr",), ("hmac-sha2-256",))
    assert spec.host_key is HostKeyPolicy.ACCEPT_NEW
    assert (spec.keepalive, spec.connect_timeout, spec.expose) == (Keepalive(1, 2), 3.0, True)
    assert (made.prompter, made.password, made.observer) == (prompter, "pw", observer)
    assert "pw" not in repr(spec)


def test_no_jumps_at_all_is_not_unsaid(specs):
    netkit.open_tunnel("gw", jumps=[])
    assert specs[0].jumps == ()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"gateway": ""}, "gateway"),
        ({"gateway": None}, "gateway cannot be None"),
        ({"gateway": "gw", "forwards": "1:h:2"}, "not a list"),
        ({"gateway": "gw", "forwards": [3]}, "a forward cannot be 3"),
        ({"gateway": "gw", "jumps": "ab"}, "jumps cannot be 'ab'"),
        ({"gateway": "gw", "keepalive": 5}, "keepalive cannot be 5"),
        ({"gateway": "gw", "forwards": ["nonsense"]}, "nonsense"),
        ({"gateway": "gw", "host_key": "never"}, "'never'"),
        ({"gateway": "gw", "jumps": ["a b"]}, "a b"),
    ],
)
def test_wrong_arguments(specs, arguments, text):
    with pytest.raises(UsageError, match=text):
        netkit.open_tunnel(**arguments)
    assert not specs


def test_every_public_name_is_there():
    assert sorted(netkit.__all__) == netkit.__all__
    for name in netkit.__all__:
        assert getattr(netkit, name) is not None
        assert name in dir(netkit)


def test_every_name_has_its_home():
    homes = {name for names in netkit._HOMES.values() for name in names}
    assert homes | {"__version__"} == set(netkit.__all__)
    assert netkit.open_tunnel is api.open_tunnel
    assert netkit.Status is importlib.import_module("netkit.events").Status


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        _ = netkit.nosuch


@pytest.mark.slow
def test_types_are_seen_by_a_checker(tmp_path):
    (tmp_path / "use.py").write_text(
        "import netkit\n"
        "with netkit.open_tunnel('gw', ['0:h:1', netkit.dynamic('0')]) as tunnel:\n"
        "    reveal_type(tunnel.local_bind_port)\n"
        "    reveal_type(tunnel.forwards[0].address)\n"
        "    reveal_type(tunnel.wait(1.0))\n"
        "    reveal_type(tunnel.open('h', 1))\n"
    )
    options = ["--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "use.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(netkit.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    revealed = [line.partition("Revealed type is ")[2] for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert [text.strip('"').replace("builtins.", "") for text in revealed if text] == [
        "int",
        "netkit.model.Endpoint | netkit.model.UnixPath",
        "netkit.errors.NetkitError | None",
        "socket.socket",
    ]


@pytest.fixture
def sshd(tmp_path):
    with Sshd(tmp_path) as server:
        yield server


def config(sshd: Sshd, *, known: bool = True) -> Path:
    path = sshd.dir / "config"
    hosts = sshd.known_hosts() if known else sshd.dir / "none"
    path.write_text(
        f"Host gw\n HostName 127.0.0.1\n Port {sshd.port}\n User {sshd.user}\n"
        f" IdentityFile {sshd.client_key}\n IdentitiesOnly yes\n IdentityAgent none\n"
        f" UserKnownHostsFile {hosts}\n GlobalKnownHostsFile none\n"
    )
    return path


def test_a_real_tunnel(sshd):
    target = f"127.0.0.1:{sshd.port}"
    with netkit.open_tunnel("gw", [f"127.0.0.1:0:{target}"], config_file=config(sshd)) as tunnel:
        address = tunnel.forwards[0].address
        assert isinstance(address, Endpoint)
        assert tunnel.local_bind_port == address.port
        assert tunnel.status.state is netkit.State.UP
        with socket.create_connection((address.host, address.port), 10) as sock:
            assert sock.recv(4) == b"SSH-"
        with tunnel.open("127.0.0.1", sshd.port) as sock:
            assert sock.recv(4) == b"SSH-"
        for host, port in (("", 22), ("h", 65536), ("h", 0), ("a b", 22)):
            with pytest.raises(UsageError):
                tunnel.open(host, port)
    assert tunnel.ended
    assert tunnel.wait(0) is None


def test_an_unknown_host_key_is_refused_without_a_prompter(sshd):
    with pytest.raises(HostKeyError):
        netkit.open_tunnel("gw", config_file=config(sshd, known=False))
    (sshd.dir / "none").unlink(missing_ok=True)
    with netkit.open_tunnel(
        "gw", config_file=config(sshd, known=False), host_key="accept-new"
    ) as tunnel:
        assert not tunnel.ended


def test_a_refused_login_is_raised_by_the_call(sshd):
    sshd.authorized_keys.write_text("")
    with pytest.raises(AuthenticationError):
        netkit.open_tunnel("gw", config_file=config(sshd))


class TestProfile:
    @pytest.fixture(autouse=True)
    def _file(self, monkeypatch, tmp_path):
        path = tmp_path / "profiles.toml"
        path.write_text(OFFICE)
        monkeypatch.setenv("NETKIT_PROFILES", str(path))
        monkeypatch.setattr("netkit.secrets.recall", {"office": "hush"}.get)

    def test_it_is_all_there_is_to_say(self, specs):
        netkit.open_tunnel(profile="office")
        assert specs[0].gateway == Gateway("gw.example", "me", 2222)
        assert [str(each) for each in specs[0].forwards] == ["127.0.0.2:3389:desktop:3389", "1080"]
        assert FakeTunnel.made.password == "hush"

    def test_what_is_said_goes_before(self, specs):
        netkit.open_tunnel(profile="office", forwards=["0:db:1"], compression=True, password="x")
        assert [str(each) for each in specs[0].forwards] == ["0:db:1"]
        assert specs[0].compression
        assert FakeTunnel.made.password == "x"

    @pytest.mark.parametrize("more", [{"gateway": "other"}, {"user": "you"}, {"port": 1}])
    def test_another_login_does_not_get_the_password(self, specs, more):
        netkit.open_tunnel(profile="office", **more)
        assert specs[0].gateway.host == more.get("gateway", "gw.example")
        assert len(specs[0].forwards) == 2
        assert FakeTunnel.made.password is None

    def test_unknown(self, specs):
        with pytest.raises(UsageError, match="there is no profile 'x'"):
            netkit.open_tunnel(profile="x")

    def test_neither_gateway_nor_profile(self, specs):
        with pytest.raises(UsageError, match="gateway cannot be None"):
            netkit.open_tunnel()
