from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from netkit.cli.clients.launching import Accompanied, Launcher, companions_of
from netkit.cli.clients.order import ClientEnded, Order
from netkit.cli.output import Output
from netkit.cli.services import Services
from netkit.desktop.clients import Desktop, Kind, View
from netkit.errors import NetkitError
from netkit.events import Event, FlowFailed, Notice
from netkit.model import Endpoint, ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support import targets
from support.cli import FakeTunnel, plan_of
from support.speaker import CONFIRM, Speaker
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts stand for clients")

SCREEN = Desktop("linux", x11=True)
NOBODY = Endpoint("", 0)


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch) -> Path:
    """A folder that is the whole PATH but for the shell's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def client(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" > {folder}/argv\n{script}\n')
    path.chmod(0o755)


class Ride:
    """A launcher beside a tunnel that is not there: its forward is the server itself."""

    def __init__(
        self,
        at: Endpoint,
        *,
        kind: Kind = Kind.RDP,
        desktop: Desktop = SCREEN,
        target: str = "desk:3389",
        output: Output | None = None,
        others: bool = False,
        **order,
    ) -> None:
        forwards = [parse_forward(ForwardKind.LOCAL, f"{at}:{target}")]
        if others:
            forwards.insert(0, parse_forward(ForwardKind.DYNAMIC, "1080"))
        spec = TunnelSpec(gateway=Gateway("gw"), forwards=tuple(forwards))
        self.ended = threading.Event()
        self.events: list[Event] = []
        view = order.pop("view", View(kind=kind, at=NOBODY))
        self.launcher = Launcher(Order(view=view, **order), output or Output(), desktop)
        services = self.launcher.watching(Services(tunnel=FakeTunnel(stays=True)))
        self.plan = plan_of(spec)
        self.tunnel: Any = services.tunnel(
            self.plan, prompter=None, password=None, observer=self.events.append
        )

    def __enter__(self) -> Ride:  # noqa: PYI034
        self.launcher.up(self.tunnel, self.plan, self.ended.set)
        return self

    def __exit__(self, *_: object) -> None:
        self.launcher.down()

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def test_the_client_is_started_when_the_server_has_answered(bin_: Path, capsys):
    client(bin_, "xfreerdp", "")
    with Speaker(CONFIRM) as server, Ride(server.at) as ride:
        assert ride.ended.wait(10)
    assert ride.launcher.failure is None
    assert (bin_ / "argv").read_text() == f"/v:{server.at} /cert:name:desk\n"
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "netkit: waiting for the RDP server at desk:3389 (up to 20 s)"
    assert said[1] == "netkit: desk:3389 answers (RDP, network level authentication)"
    assert said[2].startswith("netkit: started xfreerdp (process ")
    assert said[2].endswith("); the tunnel ends with it")


def test_no_client_without_an_answer(bin_: Path):
    client(bin_, "xfreerdp", "")
    with Speaker(b"HTTP/1.1 400\r\n") as server, Ride(server.at) as ride:
        assert ride.ended.wait(10)
    assert ride.launcher.failure.code == "wrong-server"
    assert not (bin_ / "argv").exists()


def test_the_gateways_reason_is_the_errors(bin_: Path):
    with targets.refuse() as nobody, Speaker(b"") as server:
        ride = Ride(server.at)
        assert nobody.port

        def refused(source: str) -> None:
            event = FlowFailed(
                flow=1,
                forward=None,
                source=source,
                target="desk:3389",
                code="target-refused",
                reason="nothing listens",
            )
            ride.tunnel.observer(event)

        asks_from = ride.launcher._asks_from

        def asks_and_is_refused(source: str) -> None:
            asks_from(source)
            refused(source)

        ride.launcher._waiter._asks_from = asks_and_is_refused
        with ride:
            assert ride.ended.wait(10)
    assert (ride.launcher.failure.code, ride.launcher.failure.cause) == (
        "target-refused",
        "nothing listens",
    )
    assert "FlowFailed" not in ride.kinds()  # the error tells it


def test_other_events_pass_through(bin_: Path):
    with targets.blackhole() as server, Ride(Endpoint(server.host, server.port)) as ride:
        ride.tunnel.observer(Notice(code="x", text="y"))
        ride.tunnel.observer(
            FlowFailed(flow=1, forward=None, source="1.2.3.4:5", target="", code="x", reason="")
        )
        assert ride.kinds() == ["Notice", "FlowFailed"]


def test_a_client_that_fails_is_an_error(bin_: Path):
    client(bin_, "xfreerdp", "exit 132")
    with Speaker(CONFIRM) as server, Ride(server.at) as ride:
        assert ride.ended.wait(10)
    assert ride.launcher.failure.summary == ("xfreerdp failed: the server did not accept the login")


def test_a_client_that_cannot_be_started_is_an_error(bin_: Path):
    (bin_ / "xfreerdp").write_text("nothing")
    (bin_ / "xfreerdp").chmod(0o755)
    with Speaker(CONFIRM) as server, Ride(server.at) as ride:
        assert ride.ended.wait(10)
    assert ride.launcher.failure.code == "client-failed"


def test_one_that_goes_on_by_itself_does_not_end_the_tunnel(bin_: Path, capsys):
    client(bin_, "remmina", "")
    with Speaker(CONFIRM) as server, Ride(server.at) as ride:
        ride.launcher._thread.join(10)
        assert not ride.ended.is_set()
    assert "remmina goes on by itself; the tunnel stays until Ctrl-C" in capsys.readouterr().err


def test_an_opener_that_fails_says_what_to_do(bin_: Path, capsys):
    client(bin_, "xdg-open", "exit 3")
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    with Speaker(answer) as server, Ride(server.at, kind=Kind.HTTP, target="1.2.3.4:80") as ride:
        ride.launcher._thread.join(10)
        assert not ride.ended.is_set()
    assert f"xdg-open failed: it ended with status 3; try: open http://{server.at}/" in (
        capsys.readouterr().err
    )


def test_nothing_is_installed(bin_: Path, capsys):
    with Speaker(CONFIRM) as server, Ride(server.at) as ride:
        ride.launcher._thread.join(10)
        assert not ride.ended.is_set()
    expected = "no RDP client was found here; the tunnel stays until Ctrl-C; try: xfreerdp /v:"
    assert expected in capsys.readouterr().err


def test_no_launch_prints_the_line(bin_: Path, capsys):
    client(bin_, "xfreerdp", "")
    with Speaker(CONFIRM) as server, Ride(server.at, launch=False) as ride:
        ride.launcher._thread.join(10)
    assert capsys.readouterr().out == f"xfreerdp /v:{server.at} /cert:name:desk\n"
    assert not (bin_ / "argv").exists()


def test_without_a_wait_nobody_is_asked(bin_: Path):
    client(bin_, "xfreerdp", "")
    with targets.refuse() as nobody:
        with Ride(Endpoint(nobody.host, nobody.port), limit=0) as ride:
            assert ride.ended.wait(10)
    assert ride.launcher.failure is None


def test_the_end_of_the_tunnel_ends_the_wait(bin_: Path):
    with targets.blackhole() as server:
        with Ride(Endpoint(server.host, server.port), limit=600) as ride:
            pass
    assert not ride.ended.is_set()
    assert ride.launcher.failure is None


def test_the_end_of_the_tunnel_ends_the_client(bin_: Path):
    client(bin_, "xfreerdp", "exec /bin/sleep 600")
    with Speaker(CONFIRM) as server, Ride(server.at, output=Output(as_json=True)) as ride:
        wait_until(lambda: "ClientStarted" in ride.kinds())
    ended = ride.events[-1]
    assert isinstance(ended, ClientEnded)
    assert (ended.status, ended.stays) == (-15, False)
    assert not ride.ended.is_set()


def test_json_has_its_events(bin_: Path, capsys):
    client(bin_, "xfreerdp", "")
    with Speaker(CONFIRM) as server, Ride(server.at, output=Output(as_json=True)) as ride:
        assert ride.ended.wait(10)
    assert ride.kinds() == ["ServerAnswered", "ClientStarted", "ClientEnded"]
    from netkit.events import to_dict

    assert json.dumps(to_dict(ride.events[0])).startswith('{"event": "server-answered"')
    assert capsys.readouterr() == ("", "")


def test_a_page_has_a_url_and_a_caveat(bin_: Path, capsys):
    desktop = Desktop("linux", browser=str(bin_ / "browser"))
    client(bin_, "browser", "")
    with Speaker(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        with Ride(
            server.at, kind=Kind.HTTP, desktop=desktop, target="web.internal:80", path="/a?b=c"
        ) as ride:
            ride.launcher._thread.join(10)
    assert (bin_ / "argv").read_text() == f"http://{server.at}/a?b=c\n"
    assert b"HEAD /a?b=c HTTP/1.1\r\n" in server.heard[0]
    assert f"the server is asked for {server.at} and not for web.internal" in (
        capsys.readouterr().err
    )


def test_https_by_port_and_by_word():
    for target, secure, url in (
        ("web:443", None, "https://127.0.0.1:1/"),
        ("web:80", None, "http://127.0.0.1:1/"),
        ("web:443", False, "http://127.0.0.1:1/"),
        ("web:80", True, "https://127.0.0.1:1/"),
    ):
        order = Order(view=View(kind=Kind.HTTP, at=NOBODY), secure=secure)
        placed = Launcher(order, Output(), SCREEN)._placed(Endpoint("127.0.0.1", 1), target)
        assert placed.view.url == url


def test_a_tunnel_without_a_forward_for_it(capsys):
    ride = Ride(Endpoint("127.0.0.1", 1))
    launcher = ride.launcher
    spec = TunnelSpec(gateway=Gateway("gw"), forwards=(parse_forward(ForwardKind.DYNAMIC, "1080"),))
    tunnel = FakeTunnel()(plan_of(spec), prompter=None, password=None, observer=None)
    launcher.up(tunnel, ride.plan, ride.ended.set)
    launcher.down()
    assert "there is no forward that an RDP client could use" in capsys.readouterr().err


def test_other_forwards_keep_the_tunnel(bin_: Path, capsys):
    client(bin_, "xfreerdp", "")
    with Speaker(CONFIRM) as server, Ride(server.at, others=True) as ride:
        ride.launcher._thread.join(10)
        assert not ride.ended.is_set()
    said = capsys.readouterr().err
    assert "the tunnel ends with it" not in said
    assert "the tunnel stays for its other forwards, until Ctrl-C" in said


def test_other_forwards_outlive_a_server_that_is_another(bin_: Path, capsys):
    client(bin_, "xfreerdp", "")
    with Speaker(b"SSH-2.0-x\r\n", listens_first=False) as server:
        with Ride(server.at, others=True) as ride:
            ride.launcher._thread.join(10)
            assert not ride.ended.is_set()
    assert ride.launcher.failure is None
    assert "[wrong-server]" in capsys.readouterr().err


def test_a_profile_says_what_to_start():
    spec = TunnelSpec(gateway=Gateway("gw"))
    assert companions_of(Profile(name="a", tunnel=spec)) == ()
    (launcher,) = companions_of(Profile(name="a", tunnel=spec, launch="vnc"))
    assert isinstance(launcher, Launcher)


def test_for_a_tunnel_that_another_process_runs(bin_: Path, capsys):
    client(bin_, "remmina", "")
    order = Order(view=View(kind=Kind.RDP, at=NOBODY), alone=True)
    with Speaker(CONFIRM) as server:
        Launcher(order, Output(), SCREEN).show(server.at, "desk:3389", "gw")
    assert (bin_ / "argv").read_text() == f"-c rdp://{server.at}\n"
    assert "tunnel" not in capsys.readouterr().err
    with targets.refuse() as nobody, pytest.raises(NetkitError):
        at = Endpoint(nobody.host, nobody.port)
        Launcher(order, Output(), SCREEN).show(at, "desk:3389", "gw")


class _Job:
    def __init__(self) -> None:
        self.told: list[object] = []

    def work(self) -> int:
        return 0

    def stop(self, drain: float) -> None:
        self.told.append(drain)

    def reread(self, spec: object) -> None:
        self.told.append(spec)


def test_a_job_fails_with_what_its_launcher_failed_with():
    job, launcher = _Job(), Launcher(Order(view=View(kind=Kind.RDP, at=NOBODY)), Output(), SCREEN)
    accompanied = Accompanied(job, (launcher,))
    assert accompanied.work() == 0
    launcher.failure = NetkitError("no")
    with pytest.raises(NetkitError):
        accompanied.work()
    accompanied.stop(1.5)
    assert job.told == [1.5]
