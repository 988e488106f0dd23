from __future__ import annotations

import os
import socket
import tempfile
import warnings
from pathlib import Path

import pytest

from netkit.control import places
from netkit.control.protocol import ControlError


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="nk") as made:  # a path of pytest's is too long
        yield Path(made) / "run"


def test_a_socket_that_is_left_over_is_taken_over(folder):
    lock = Path("locks/office.lock")
    first, point = places.listen(lock, folder)
    first.close()  # as a process that was killed leaves it
    assert Path(point.path).is_socket()
    second, again = places.listen(lock, folder)
    with second, socket.socket(socket.AF_UNIX) as client:
        assert again == point
        client.connect(point.path)
    places.remove(point)
    places.remove(point)
    assert list(folder.iterdir()) == []


def test_what_is_no_socket_is_left_alone(folder):
    folder.mkdir()
    path = places.socket_path(Path("office.lock"), folder)
    path.write_text("precious")
    with pytest.raises(ControlError, match="no socket"):
        places.listen(Path("office.lock"), folder)
    assert path.read_text() == "precious"


def test_a_link_is_not_followed(folder, tmp_path):
    folder.mkdir()
    path = places.socket_path(Path("office.lock"), folder)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ControlError, match="no socket"):
        places.listen(Path("office.lock"), folder)
    folder.rename(folder.with_name("real"))
    folder.symlink_to(folder.with_name("real"))
    with pytest.raises(ControlError, match="no folder"):
        places.listen(Path("home.lock"), folder)


def test_what_belongs_to_another_is_refused(folder, monkeypatch):
    made, _ = places.listen(Path("office.lock"), folder)
    made.close()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ControlError, match="another user") as caught:
        places.listen(Path("office.lock"), folder)
    assert caught.value.code == "control-unavailable"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a socket to another user")
def test_a_socket_of_another_user_is_refused(folder):
    made, point = places.listen(Path("office.lock"), folder)
    made.close()
    os.chown(point.path, 12345, 12345)
    with pytest.raises(ControlError, match="another user"):
        places.listen(Path("office.lock"), folder)


def test_a_folder_that_others_could_enter_is_closed_to_them(folder):
    folder.mkdir(mode=0o755)
    made, _ = places.listen(Path("office.lock"), folder)
    made.close()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_folders_of_locks_have_two_sockets(folder):
    paths = {places.socket_path(Path(f"{each}/office.lock"), folder) for each in "ab"}
    assert len(paths) == 2
    long = places.socket_path(Path("a") / ("x" * 100 + ".lock"), folder)
    assert len(os.fsencode(long)) <= 100


def test_a_path_that_is_too_long_is_said(folder):
    with pytest.raises(ControlError, match="long"):
        places.listen(Path("office.lock"), folder / ("x" * 120))


def test_the_usual_place_is_found_silently():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert places.runtime_folder().name == "netkit"
    assert not told
