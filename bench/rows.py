"""The table: which figure of which experiment stands in which row, and what is to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# What all peers together may have sent and no reader has taken (netkit.wire.window): 256 MiB.
STALLED_BUDGET_MB = 268.5
# The ceiling of one flow's window there: 64 MiB.
WINDOW_MB = 67.2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    ``at_least``/``at_most`` are the goal: of the ratio to ``base``, or of netkit's own figure
    where ``absolute``.  A row without either is there to be read.
    """

    key: str
    title: str
    unit: str
    experiment: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None
    base: str = "ssh"
    absolute: bool = False

    def reached(self, figure: float) -> bool | None:
        """Whether ``figure`` (a ratio, or netkit's value) is good enough; None without a goal."""
        if self.at_least is not None:
            return figure >= self.at_least
        if self.at_most is not None:
            return figure <= self.at_most
        return None

    @property
    def goal(self) -> str:
        """The goal in words."""
        unit = f" {self.unit}" if self.absolute else ""
        if self.at_least is not None:
            return f">= {self.at_least:g}{unit}"
        if self.at_most is not None:
            return f"<= {self.at_most:g}{unit}"
        return ""


def _speed(
    key: str, title: str, experiment: str, at_least: float | None = None, base: str = "ssh"
) -> Row:
    return Row(key, title, "MB/s", experiment, "mb_per_s", at_least=at_least, base=base)


def _memory(key: str, title: str, experiment: str, metric: str, most: float) -> Row:
    return Row(key, title, "MB", experiment, metric, at_most=most, absolute=True)


def _echo(key: str, title: str, experiment: str, metric: str, most: float | None = None) -> Row:
    return Row(key, title, "µs", experiment, metric, at_most=most)


def _cpu(key: str, title: str, experiment: str) -> Row:
    return Row(key, title, "s/GB", experiment, "cpu_s_per_gb", at_most=1.0)


def _share(key: str, title: str, experiment: str, most: float | None = None) -> Row:
    return Row(key, title, "of 1", experiment, "wire_share", at_most=most)


def _flows(key: str, title: str, experiment: str, at_least: float | None) -> Row:
    return Row(key, title, "flows/s", experiment, "flows_per_s", at_least=at_least)


ROWS: tuple[Row, ...] = (
    _speed("download", "one flow, download", "download", 1.0),
    _speed("download-default", "… against ssh's own cipher", "download", 1.3, "ssh-default"),
    _speed("upload", "one flow, upload", "upload", 1.0),
    _speed("upload-default", "… against ssh's own cipher", "upload", 1.3, "ssh-default"),
    _cpu("download-cpu", "client CPU, download", "download"),
    _cpu("upload-cpu", "client CPU, upload", "upload"),
    _speed("many-download", "32 flows at once, download, total", "many-download", 1.0),
    _speed("many-upload", "32 flows at once, upload, total", "many-upload", 1.0),
    _echo("echo-p50", "echo p50, idle", "echo", "p50_us", 1.2),
    _echo("echo-p99", "echo p99, idle", "echo", "p99_us"),
    _echo("echo-download-p50", "echo p50 beside a bulk download", "echo-download", "p50_us"),
    _echo("echo-download-p99", "echo p99 beside a bulk download", "echo-download", "p99_us", 1.0),
    Row("echo-download-bulk", "bulk download beside an echo", "MB/s", "echo-download", "mb_per_s"),
    _echo("echo-upload-p50", "echo p50 beside a bulk upload", "echo-upload", "p50_us"),
    _echo("echo-upload-p99", "echo p99 beside a bulk upload", "echo-upload", "p99_us", 1.0),
    Row("echo-upload-bulk", "bulk upload beside an echo", "MB/s", "echo-upload", "mb_per_s"),
    _flows("flows-sequential", "new flows, one after another", "flows-sequential", 0.8),
    _flows("flows-64", "new flows, 64 at once", "flows-64", 0.8),
    _speed("far-download", "download at 100 ms round trip", "far-download", 10),
    _speed("far-upload", "upload at 100 ms round trip", "far-upload", 1.0),
    _echo("far-echo-p50", "echo p50 at 100 ms, idle", "far-echo", "p50_us"),
    _echo(
        "far-echo-download-p99",
        "echo p99 at 100 ms beside a download",
        "far-echo-download",
        "p99_us",
    ),
    _echo(
        "far-echo-upload-p99", "echo p99 at 100 ms beside an upload", "far-echo-upload", "p99_us"
    ),
    _flows("far-flows-64", "new flows at 100 ms, 64 at once", "far-flows-64", None),
    _speed("ctr-download", "aes128-ctr, hmac-sha2-256-etm, download", "ctr-download", 0.7),
    _speed("ctr-upload", "aes128-ctr, hmac-sha2-256-etm, upload", "ctr-upload", 0.7),
    _speed("zlib-upload", "text with -C, upload", "zlib-upload", 1.5),
    _share("zlib-upload-share", "… of it on the wire", "zlib-upload", 1 / 0.9),
    _cpu("zlib-upload-cpu", "… client CPU", "zlib-upload"),
    _speed("zlib-download", "text with -C, download", "zlib-download"),
    _share("zlib-download-share", "… of it on the wire", "zlib-download"),
    _cpu("zlib-download-cpu", "… client CPU", "zlib-download"),
    _speed("zlib-thin-upload", "text at 2 Mbit/s with -C, upload", "zlib-thin-upload", 1.0),
    _share("zlib-thin-upload-share", "… of it on the wire", "zlib-thin-upload", 1 / 0.9),
    _speed("zlib-thin-download", "text at 2 Mbit/s with -C, download", "zlib-thin-download"),
    _speed("zlib-random-upload", "random data with -C, upload", "zlib-upload-random"),
    _share("zlib-random-upload-share", "… of it on the wire", "zlib-upload-random"),
    _cpu("zlib-random-upload-cpu", "… client CPU", "zlib-upload-random"),
    _speed(
        "zlib-thin-random-upload",
        "random data at 2 Mbit/s with -C, upload",
        "zlib-thin-upload-random",
    ),
    _echo("zlib-echo-p50", "echo p50 with -C, idle", "zlib-echo", "p50_us"),
    _echo(
        "zlib-echo-upload-p50",
        "echo p50 with -C beside a bulk upload",
        "zlib-echo-upload",
        "p50_us",
    ),
    _echo(
        "zlib-echo-upload-p99",
        "echo p99 with -C beside a bulk upload",
        "zlib-echo-upload",
        "p99_us",
    ),
    Row(
        "zlib-echo-upload-bulk",
        "bulk upload with -C beside an echo",
        "MB/s",
        "zlib-echo-upload",
        "mb_per_s",
    ),
    Row("rekey", "both ways at once, RekeyLimit 1M", "s", "rekey", "seconds", at_most=1.0),
    Row("reconnect", "link killed, until a byte passes again", "s", "reconnect", "seconds"),
    _memory("memory-download", "peak RSS, one busy link, download", "download", "peak_mb", 70),
    _memory("memory-upload", "peak RSS, one busy link, upload", "upload", "peak_mb", 70),
    _memory("memory-zlib", "peak RSS, one busy link, -C, upload", "zlib-upload", "peak_mb", 70),
    _memory("memory-idle", "RSS added by 1 000 idle flows", "idle-flows", "added_mb", 40),
    _memory(
        "memory-stalled-1", "RSS added by 1 stalled reader", "stalled-1", "added_mb", WINDOW_MB
    ),
    _memory(
        "memory-stalled-100",
        "RSS added by 100 stalled readers",
        "stalled-100",
        "added_mb",
        STALLED_BUDGET_MB,
    ),
)


def select_rows(words: Sequence[str]) -> tuple[Row, ...]:
    """The rows whose key is one of ``words`` or continues it after a dash; all without words.

    Raises ValueError for a word that names no row.
    """
    if not words:
        return ROWS
    for word in words:
        if not any(_named(row, word) for row in ROWS):
            keys = ", ".join(row.key for row in ROWS)
            raise ValueError(f"no row is called {word!r}; there are {keys}")
    return tuple(row for row in ROWS if any(_named(row, word) for word in words))


def _named(row: Row, word: str) -> bool:
    return row.key == word or row.key.startswith(f"{word}-")
