from __future__ import annotations

import sys

from netkit import programs


def test_output_status_and_input():
    code = "import sys; print(sys.stdin.read().upper()); sys.stderr.write('e'); sys.exit(3)"
    ran = programs.run([sys.executable, "-c", code], stdin=b"word")
    assert (ran.status, ran.output.strip(), ran.errors, ran.error) == (3, b"WORD", b"e", "")


def test_the_environment_is_replaced():
    code = "import os; print(os.environ.get('HOME'), os.environ['NAME'])"
    ran = programs.run([sys.executable, "-c", code], environment={"NAME": "value"})
    assert ran.output.split() == [b"None", b"value"]


def test_a_program_that_is_not_there():
    ran = programs.run(["/nonexistent/program"])
    assert ran.status is None
    assert ran.error == "No such file or directory"


def test_an_impossible_argument():
    assert programs.run(["true", "a\0b"]).error


def test_a_program_that_does_not_end():
    code = "import sys, threading; print('begun', flush=True); threading.Event().wait()"
    ran = programs.run([sys.executable, "-c", code], timeout=1.0)
    assert ran.status is None
    assert ran.error == "no end within 1 s"
    assert ran.output.strip() == b"begun"


def test_much_output_is_cut():
    code = f"print('x' * {2 * programs.MAX_OUTPUT})"
    assert len(programs.run([sys.executable, "-c", code]).output) == programs.MAX_OUTPUT


def test_finding():
    assert programs.find("no-such-program-here") is None
    assert programs.find("no-such-program-here", "sh") == programs.find("sh") is not None
