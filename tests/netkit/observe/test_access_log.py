from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from netkit.events import Notice
from netkit.observe import access_log
from netkit.observe.access_log import AccessLog, FlowRecorder, rfc3339
from support.watched import closed, failed, opened


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class Log:
    """An access log of one tunnel, and what was said about it."""

    def __init__(self, path: Path, **settings) -> None:
        self.said: list[Notice] = []
        self._log = AccessLog(path, **settings)
        self.recorder = FlowRecorder("office", self._log.put)

    def __enter__(self):
        self._log.begin(self.said.append)
        return self

    def __exit__(self, *_):
        self._log.end()

    def put(self, *events) -> None:
        for event in events:
            self.recorder.see(event)


def test_a_line_for_each_flow(tmp_path: Path):
    file = tmp_path / "access.log"
    before = datetime.now(UTC)
    with Log(file) as log:
        log.put(opened(1), opened(2), closed(2, error="reset by the target"), closed(1), failed(3))
    badly, clean, refused = written(file)
    assert {key: clean[key] for key in clean if key != "time"} == {
        "tunnel": "office",
        "forward": "local 127.0.0.2:3389 -> desktop:3389",
        "flow": 1,
        "source": "127.0.0.1:5000",
        "target": "desktop:3389",
        "bytes_to_gateway": 10,
        "bytes_from_gateway": 20,
        "seconds": 1.5,
        "ended": "clean",
        "reason": "",
    }
    assert abs((datetime.fromisoformat(clean["time"]) - before).total_seconds()) < 60
    assert (badly["ended"], badly["reason"]) == ("error", "reset by the target")
    assert (refused["ended"], refused["reason"]) == ("connect-failed", "Connection refused")
    assert log.said == []


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_the_file_is_the_users_alone(tmp_path: Path):
    file = tmp_path / "access.log"
    file.write_text('{"old": 1}\n')
    file.chmod(0o644)
    with Log(file) as log:
        log.put(opened(), closed())
    assert file.stat().st_mode & 0o777 == 0o600
    assert written(file)[0] == {"old": 1}


def test_it_is_rotated(tmp_path: Path):
    file = tmp_path / "access.log"
    for _ in range(12):
        with Log(file, max_size=300, kept=2) as log:
            log.put(opened(), closed())
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "access.log",
        "access.log.1",
        "access.log.2",
    ]
    for each in tmp_path.iterdir():
        assert written(each)
        assert each.stat().st_size <= 300


def test_what_cannot_be_written_is_said_once(tmp_path: Path):
    folder = tmp_path / "missing"
    with Log(folder / "access.log") as log:
        log.put(opened(1), closed(1), opened(2), closed(2))
    assert [notice.code for notice in log.said] == ["access-log-failed"]
    assert str(folder) in log.said[0].text
    assert "No such file" in log.said[0].text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_no_device(tmp_path: Path):
    link = tmp_path / "access.log"
    link.symlink_to("/dev/full")
    with Log(link) as log:
        log.put(opened(1), closed(1))
    assert "no regular file" in log.said[0].text


def test_a_disk_that_is_full_for_a_while(tmp_path: Path, monkeypatch):
    file = tmp_path / "access.log"
    real = os.write
    full = True

    def write(descriptor, data):
        if not full:
            return real(descriptor, data)
        if len(data) > 40:
            return real(descriptor, data[:40])
        raise OSError(28, "No space left on device")

    log = AccessLog(file)
    said: list[Notice] = []
    line = {"a": "x" * 100}
    log.begin(said.append)
    with monkeypatch.context() as patch:
        patch.setattr(access_log.os, "write", write)
        log._write([line])
        log._write([line])
        assert file.read_bytes() == b""  # no half line
        full = False
        log._write([line])
    log.end()
    assert [notice.code for notice in said] == ["access-log-failed", "access-log-again"]
    assert "2 lines were lost" in said[1].text
    assert written(file) == [line]


def test_another_program_may_rotate_it(tmp_path: Path):
    file = tmp_path / "access.log"
    log = AccessLog(file)
    log.begin(lambda _event: None)
    log._write([{"n": 1}])
    file.rename(tmp_path / "old")
    log._write([{"n": 2}])
    log.end()
    assert written(file) == [{"n": 2}]


def test_hostile_text_stays_on_its_line(tmp_path: Path):
    file = tmp_path / "access.log"
    with Log(file) as log:
        log.put(opened(), closed(error='\n{"ended": "clean"}\x1b[2J\udcff'))
    (line,) = written(file)
    assert line["ended"] == "error"
    assert file.read_bytes().isascii()


def test_times():
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 6789, tzinfo=UTC)) == "2026-01-02T03:04:05.006Z"
