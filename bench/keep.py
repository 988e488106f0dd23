"""Keep a command running: ``python keep.py COMMAND…`` starts it again whenever it ends.

What autossh does with ``-M 0``, for any client: at once, but after five runs in a row that were
short, a second apart.  SIGTERM ends the command and the loop.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

FAST_TRIES = 5
SHORT_RUN = 0.2
PAUSE = 1.0


class Keeper:
    """One command, started again and again until it is told to stop."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)
        self._stopped = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._parent = os.getppid()

    def stop(self, _number: int = 0, _frame: object = None) -> None:
        """End the command and the loop; a signal handler."""
        self._stopped.set()
        if self._child is not None:
            self._child.terminate()

    def run(self) -> int:
        """Until stopped, or until whoever started us has gone; how often the command ran."""
        runs = short = 0
        while not self._stopped.is_set() and os.getppid() == self._parent:
            begun = time.monotonic()
            self._child = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL)
            if self._stopped.is_set():
                self._child.terminate()
            self._child.wait()
            runs += 1
            short = short + 1 if time.monotonic() - begun < SHORT_RUN else 0
            if short >= FAST_TRIES:
                self._stopped.wait(PAUSE)
        return runs


def main() -> None:
    """The command line."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: keep.py COMMAND…")
    keeper = Keeper(sys.argv[1:])
    signal.signal(signal.SIGTERM, keeper.stop)
    keeper.run()


if __name__ == "__main__":
    main()
