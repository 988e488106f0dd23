"""``python -m netkit``: what happens before and after the command line runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.cli import environment, process

# Stops in the middle of an import, tells so, and goes on when told.
SLOW_IMPORT = """
import sys
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "click":
            print("importing", flush=True)
            sys.stdin.read()
sys.meta_path.insert(0, Slow())
from netkit.__main__ import main
main()
"""


def test_version(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "netkit", "--version"],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        check=True,
    )
    assert done.stdout.startswith("netkit ")


def test_ctrl_c_while_modules_load_is_quiet(tmp_path):
    with process(["-c", SLOW_IMPORT], home=tmp_path, stdin=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "importing\n"
        child.send_signal(2)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (130, "", "")


STUCK = """
import sys, threading
from netkit import __main__
import netkit.cli.main
def run(argv):
    threading.Thread(target=threading.Event().wait, name={name!r}, daemon=False).start()
    return 5
netkit.cli.main.run = run
__main__.main()
"""


@pytest.mark.parametrize("name", ["netkit-worker"])
def test_a_stuck_thread_does_not_keep_the_process(tmp_path, name):
    with process(["-c", STUCK.format(name=name)], home=tmp_path) as child:
        child.communicate(timeout=20)
    assert child.returncode == 5
