"""The ``netkit`` command, and ``python -m netkit``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command line and exit with its code (see ``netkit.cli.main``)."""
    # Ctrl-C while modules load would be a traceback of the import machinery.  An ignored signal
    # (`nohup`, `&` in a script) stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)

    from netkit.cli.main import run

    code = run(sys.argv[1:])
    if any(thread.name.startswith("netkit-") for thread in threading.enumerate()):
        os._exit(code)  # a thread is stuck, and the interpreter's exit could wait for its locks
    sys.exit(code)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(130)


if __name__ == "__main__":
    main()
