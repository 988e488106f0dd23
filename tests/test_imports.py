"""What an import costs: ``import netkit`` and ``netkit --help`` load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("paramiko", "rich", "cryptography", "asyncio", "psutil", "msgspec", "tomlkit", "invoke")

REPORT = """
import json, sys
print()
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""

HELP = """
import contextlib, runpy, sys
sys.argv = ["netkit", *{arguments!r}]
with contextlib.suppress(SystemExit):
    runpy.run_module("netkit", run_name="__main__")
"""


def modules_after(source: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after ``source``."""
    done = subprocess.run(
        [sys.executable, "-c", source + REPORT], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_report_sees_what_is_loaded():
    assert "paramiko" in modules_after("import paramiko")


def test_import_netkit():
    assert not modules_after("import netkit") & {*HEAVY, "click", "socket", "subprocess"}


def test_import_diagnostics():
    assert not modules_after("import diagnostics") & {*HEAVY, "click"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["forward", "--help"]])
def test_command_line_help(arguments: list[str]):
    assert not modules_after(HELP.format(arguments=arguments)) & set(HEAVY)
