"""``netkit vnc`` and ``netkit open`` through a real sshd, with programs that note what they get."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support import cli, rdp, targets, tunnels
from support.forwarding import Forwarding, gateway_options
from support.tunnels import TestGateway
from support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for clients"),
]

VIEWER = """
import socket, sys
host, port = sys.argv[1].split("::")
with socket.create_connection((host, int(port)), 10) as sock:
    print(sock.makefile("rb").readline().decode().strip(), flush=True)
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestGateway]:
    with tunnels.start("sshd", tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def web(tmp_path: Path) -> Iterator[int]:
    """A real web server with one page."""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "hello.txt").write_text("hello from behind the gateway\n")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(pages))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)


def test_a_vnc_viewer_is_shown_the_server(tmp_path: Path, gateway: TestGateway):
    (tmp_path / "viewer.py").write_text(VIEWER)
    programs = rdp.program(
        tmp_path,
        "vncviewer",
        f'exec {sys.executable} {tmp_path}/viewer.py "$@" > {tmp_path}/seen\n',
    )
    with targets.greeting(b"RFB 003.008\n") as server:
        words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{server.port}"]
        with rdp.netkit_command(
            *("vnc", *words, "--bind", "127.0.0.1:0"),
            home=tmp_path,
            programs=programs,
            DISPLAY=":77",
        ) as run:
            assert run.wait() == 0, run.stderr
    assert (tmp_path / "seen").read_text() == "RFB 003.008\n"
    assert f"127.0.0.1:{server.port} answers (VNC, RFB 3.8)" in run.stderr


def test_a_vnc_viewer_is_not_shown_a_mail_server(tmp_path: Path, gateway: TestGateway):
    with targets.greeting(b"220 mail.example ESMTP\r\n") as server:
        words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{server.port}"]
        with rdp.netkit_command("vnc", *words, "--bind", "127.0.0.1:0", home=tmp_path) as run:
            assert run.wait() == 3
    assert "is not a VNC server: a mail or FTP server answers [wrong-server]" in run.stderr


def test_a_page_is_opened_in_the_browser(tmp_path: Path, gateway: TestGateway, web: int):
    programs = rdp.program(
        tmp_path, "browser", f'curl -sS "$1" > {tmp_path}/page.new && mv {tmp_path}/page.new "$2"\n'
    )
    words = [*gateway_options(gateway, tmp_path), "--to", f"localhost:{web}"]
    page = tmp_path / "page"
    with rdp.netkit_command(
        *("open", *words, "--bind", "127.0.0.1:0", "--path", "hello.txt"),
        home=tmp_path,
        programs=programs,
        BROWSER=f"nothing-there:browser %s {page}",
    ) as run:
        wait_until(page.exists, what=run.stderr)
        assert page.read_text() == "hello from behind the gateway\n"
        wait_until(lambda: "the tunnel stays until Ctrl-C" in run.stderr)
        assert run.process.poll() is None
        assert run.stop(signal.SIGINT) == 130
    assert f"localhost:{web} answers (HTTP, status 200" in run.stderr


def test_a_page_is_printed_for_scripts(tmp_path: Path, gateway: TestGateway, web: int):
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{web}"]
    with rdp.netkit_command("open", *words, "--no-launch", home=tmp_path) as run:
        run.wait_for_lines(2)
        assert run.lines[1] == f"open http://{run.addresses[0]}/"
        assert run.stop() == 0


def test_https_that_is_none(tmp_path: Path, gateway: TestGateway, web: int):
    words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{web}", "--https"]
    with rdp.netkit_command("open", *words, home=tmp_path) as run:
        assert run.wait() == 3
    assert run.stderr.splitlines()[-1].endswith("--https --no-https")


def test_ctrl_c_on_a_terminal_reaches_both(tmp_path: Path, gateway: TestGateway):
    """A client that asks on the terminal shares it, and Ctrl-C with it."""
    programs = rdp.program(
        tmp_path,
        "vncviewer",
        f"trap 'touch {tmp_path}/told; exit 130' INT TERM\ntouch {tmp_path}/ready\nread -r line\n",
    )
    ours, theirs = os.openpty()
    env = cli.environment(
        tmp_path, DISPLAY=":77", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}"
    )
    try:
        with targets.greeting(b"RFB 003.008\n") as server:
            words = [*gateway_options(gateway, tmp_path), "--to", f"127.0.0.1:{server.port}"]
            argv = ["-m", "netkit", "vnc", *words, "--bind", "127.0.0.1:0"]
            with cli.process(argv, home=tmp_path, tty=theirs, stdin=theirs, env=env) as process:
                run = Forwarding(process)
                wait_until((tmp_path / "ready").exists, what=run.stderr)
                os.write(ours, b"\x03")
                assert run.wait() == 130
    finally:
        os.close(ours)
        os.close(theirs)
    assert (tmp_path / "told").exists()
