"""Editing the file of profiles with the user's editor."""

from __future__ import annotations

import os
import pty
import shlex
import sys
from pathlib import Path

import pytest

from netkit import profiles
from support.cli import ROOT, environment, process, run_cli
from support.profiles import OFFICE


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "profiles.toml"
    path.write_text(OFFICE)
    monkeypatch.setenv(profiles.VARIABLE, str(path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("VISUAL", raising=False)
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return path


def editor(tmp_path, code):
    """Return the words of an editor that runs ``code``, with the file as ``path``."""
    script = tmp_path / "editor.py"
    script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{code}\n")
    return shlex.join([sys.executable, str(script)])


def replaces(old, new):
    return f"path.write_text(path.read_text().replace({old!r}, {new!r}))"


def copies(tmp_path):
    return list(tmp_path.glob("netkit-profiles-*"))


def test_a_change(file, tmp_path, monkeypatch):
    monkeypatch.setenv("EDITOR", editor(tmp_path, replaces("1080", "1081")))
    done = run_cli("profile", "edit", "home")
    assert (done.code, done.err.splitlines()) == (
        0,
        ["netkit: home begins in line 20", f"netkit: {file} is changed"],
    )
    assert file.read_text() == OFFICE.replace("1080", "1081")
    assert copies(tmp_path) == []


def test_no_change(file, tmp_path, monkeypatch):
    monkeypatch.setenv("EDITOR", editor(tmp_path, ""))
    assert run_cli("profile", "edit").err == f"netkit: nothing has changed in {file}\n"
    assert file.read_text() == OFFICE


def test_visual_comes_first_and_a_new_file_explains_itself(file, tmp_path, monkeypatch):
    file.unlink()
    code = "assert '[profiles.office]' in path.read_text()\n" + replaces("# ", "")
    monkeypatch.setenv("VISUAL", editor(tmp_path, code))
    monkeypatch.setenv("EDITOR", "false")
    done = run_cli("profile", "edit")
    assert done.code == 2  # the explanation is no TOML
    monkeypatch.setenv("VISUAL", editor(tmp_path, "path.write_text('[profiles.x]\\ngateway=1')"))
    assert "expected a text" in run_cli("profile", "edit").err
    monkeypatch.setenv("VISUAL", editor(tmp_path, "path.write_text('# none\\n')"))
    assert run_cli("profile", "edit").code == 0
    assert file.read_text() == "# none\n"


def test_a_mistake_without_a_terminal(file, tmp_path, monkeypatch):
    monkeypatch.setattr("netkit.cli.terminal.TerminalPrompter.has_terminal", lambda _self: False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, replaces("gateway", "gatway")))
    done = run_cli("profile", "edit")
    [copy] = copies(tmp_path)
    assert (done.code, done.err.splitlines()) == (
        2,
        [
            "netkit: the new profiles.toml line 5: at gatway: there is no such key [bad-config]",
            f"  cause: did you mean gateway?; {file} is as it was, and what you wrote is in {copy}",
            "  next:  netkit profile edit",
        ],
    )
    assert file.read_text() == OFFICE
    assert "gatway" in copy.read_text()


def test_another_program_saves_meanwhile(file, tmp_path, monkeypatch):
    other = f"pathlib.Path({str(file)!r}).write_text('# other\\n')"
    monkeypatch.setenv("EDITOR", editor(tmp_path, f"{replaces('1080', '1081')}\n{other}"))
    done = run_cli("profile", "edit")
    assert done.code == 2
    assert "has changed since the edit began [profiles-changed]" in done.err
    assert file.read_text() == "# other\n"
    assert "1081" in copies(tmp_path)[0].read_text()


def test_a_file_that_is_wrong_can_be_edited(file, tmp_path, monkeypatch):
    file.write_text(OFFICE.replace("gateway", "gatway"))
    monkeypatch.setenv("EDITOR", editor(tmp_path, replaces("gatway", "gateway")))
    done = run_cli("profile", "edit", "home")
    assert done.code == 0, done.err
    assert "at gatway: there is no such key" in done.err
    assert file.read_text() == OFFICE


def test_an_unknown_name(tmp_path, monkeypatch):
    monkeypatch.setenv("EDITOR", editor(tmp_path, "raise SystemExit('never')"))
    assert "there is no profile 'x'" in run_cli("profile", "edit", "x").err


@pytest.mark.parametrize("words", ["false", "/nonexistent/editor"])
def test_an_editor_that_fails(file, tmp_path, monkeypatch, words):
    monkeypatch.setenv("EDITOR", words)
    done = run_cli("profile", "edit")
    assert done.code == 2
    assert "[editor-failed]" in done.err
    assert file.read_text() == OFFICE
    assert copies(tmp_path) == []


def test_a_mistake_is_mended_on_a_terminal(file, tmp_path):
    code = (
        "text = path.read_text()\n"
        "path.write_text(text.replace('gatway', 'gateway') if 'gatway' in text"
        " else text.replace('gateway', 'gatway') + '# mended')"
    )
    ours, theirs = pty.openpty()
    env = environment(tmp_path, EDITOR=editor(tmp_path, code), NETKIT_PROFILES=str(file))
    argv = ["-m", "netkit", "profile", "edit"]
    with process(argv, home=tmp_path, tty=theirs, env=env, cwd=ROOT) as child:
        shown = b""
        while b"[Y/n]" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, b"y\n")
        _, err = child.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert child.returncode == 0, err
    assert "at gatway: there is no such key" in err
    assert file.read_text() == f"{OFFICE}# mended"
    assert Path(file).stat().st_mode & 0o777 == 0o600
