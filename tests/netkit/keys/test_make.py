"""Key pairs for the moment."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from netkit.keys.make import write_key
from support.peers import require


def test_the_key_is_one_that_openssh_reads(tmp_path: Path):
    keygen = require("ssh-keygen")
    public = write_key(tmp_path / "key", "netkit-test")
    done = subprocess.run(
        [keygen, "-y", "-f", str(tmp_path / "key")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[:2] == public.split()[:2]
    assert public.split()[2:] == ["netkit-test"]


def test_the_private_half_is_the_users_alone(tmp_path: Path):
    write_key(tmp_path / "key", "netkit-test")
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "key").write_text("precious")
    with pytest.raises(FileExistsError):
        write_key(tmp_path / "key", "netkit-test")
    assert (tmp_path / "key").read_text() == "precious"
