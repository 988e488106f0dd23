"""FTP: passive mode through a SOCKS proxy works, active mode fails, as `netkit protocols` says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import run_cli
from support.forwarding import Forwarding, netkit_forward
from support.peers import require
from support.services import Vsftpd
from support.tunnels import TestGateway

DATA = bytes(range(256)) * 4000
_PORT_FAILED = 30  # curl(1), EXIT CODES: FTP PORT failed


@pytest.fixture
def ftp() -> Iterator[Vsftpd]:
    with Vsftpd() as running:
        (running.root / "incoming" / "data").write_bytes(DATA)
        yield running


@pytest.fixture
def proxy(tmp_path: Path, sshd: TestGateway) -> Iterator[Forwarding]:
    with netkit_forward(sshd, "-D", "127.0.0.1:0", "-v", home=tmp_path) as running:
        yield running


def curl(proxy: Forwarding, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run curl as `netkit protocols ftp` says."""
    words = ["--silent", "--show-error", "--max-time", "20", "--verbose"]
    return subprocess.run(
        [str(require("curl")), *words, "--proxy", f"socks5h://127.0.0.1:{proxy.port}", *arguments],
        capture_output=True,
        env={"LC_ALL": "C"},
        check=False,
    )


def test_the_command_is_the_documented_one():
    assert "curl --proxy socks5h://127.0.0.1:1080 ftp://SERVER/" in run_cli("protocols", "ftp").out


def test_listing_download_and_upload(proxy: Forwarding, ftp: Vsftpd, tmp_path: Path):
    folder = f"ftp://127.0.0.1:{ftp.port}/incoming/"
    listed = curl(proxy, "--list-only", folder)
    assert (listed.returncode, listed.stdout.split()) == (0, [b"data"]), listed.stderr
    fetched = curl(proxy, folder + "data")
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout == DATA
    upload = tmp_path / "upload"
    upload.write_bytes(DATA[::-1])
    sent = curl(proxy, "--upload-file", str(upload), folder + "new")
    assert sent.returncode == 0, sent.stderr
    assert (ftp.root / "incoming" / "new").read_bytes() == DATA[::-1]
    assert proxy.stop() == 0
    targets = {line for line in proxy.stderr.splitlines() if "127.0.0.1:" in line}
    assert len(targets) >= 6, "control and data connections, each through the tunnel"


def test_active_mode_does_not_work(proxy: Forwarding, ftp: Vsftpd):
    """The client names an address of its own, which is not where the server sees it come from."""
    url = f"ftp://127.0.0.1:{ftp.port}/incoming/data"
    # 127.0.0.2 stands for the client's address, and 127.0.0.1 is the gateway's
    done = curl(proxy, "--disable-eprt", "--ftp-port", "127.0.0.2", url)
    assert done.returncode == _PORT_FAILED, done.stderr
    assert b"500 Illegal PORT command" in done.stderr
    assert done.stdout == b""
