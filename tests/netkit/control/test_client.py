from __future__ import annotations

import os
import socket
import threading

import pytest

from netkit.control import client
from netkit.control.protocol import ControlError, Request
from netkit.desktop.instance import ControlPoint, Holder
from support.controlled import controlled


def test_who_runs(tmp_path):
    assert client.running(tmp_path / "none") == ()
    with controlled(tmp_path), controlled(tmp_path, name="home/ß"):
        assert [each.name for each in client.running(tmp_path)] == ["home/ß", "office"]
    assert client.running(tmp_path) == ()


def test_what_a_process_left_behind_does_not_run(tmp_path):
    (tmp_path / "dead.lock").write_text('{"pid": 1, "name": "dead"}')
    (tmp_path / "odd.lock").mkdir()
    (tmp_path / "link.lock").symlink_to("/dev/zero")
    assert client.running(tmp_path) == ()


def test_one_without_a_socket_cannot_be_asked():
    with pytest.raises(ControlError) as caught:
        client.status(Holder(7, name="office"))
    assert (caught.value.code, caught.value.retryable) == ("control-unavailable", True)


@pytest.mark.parametrize(
    "answer", [b"", b"\0" * 100 + b"\n", b"{}\n", b'{"netkit": 1, "ok": {"view": 7}}\n', b"x" * 500]
)
def test_a_server_that_says_anything(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        holder = Holder(7, control=ControlPoint(port=listener.getsockname()[1], token="t"))
        with pytest.raises(ControlError):
            client.status(holder)
        thread.join()


def test_a_socket_of_another_user_is_not_talked_to(tmp_path, monkeypatch):
    with controlled(tmp_path) as there:
        real = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: real + 1)
        if real == 0:  # root's socket is trusted by everybody
            os.chown(there.point.path, 12345, 12345)
        with pytest.raises(ControlError, match="no socket of yours"):
            client.ask(there.holder, Request("kick"))
        monkeypatch.undo()


def test_a_file_is_no_socket(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(ControlError, match="no socket of yours"):
        client.status(Holder(7, control=ControlPoint(str(tmp_path / "x"))))
