"""Loads on request, in one process: for measurements that a process's start must not be part of.

Reads lines of JSON with the options of ``load.py``, such as
``{"kind": "download", "port": 40000, "bytes": 1000000}``, answers each as ``load.py`` does, and
leaves when its stdin ends.
"""

from __future__ import annotations

import argparse
import json
import sys

import corpora
from load import KINDS, LoadError, say

DEFAULTS = {"flows": 1, "bytes": 0, "count": 1, "seconds": 0.0, "signal": False}


def main() -> None:
    """Until stdin ends."""
    for line in sys.stdin:
        asked = {**DEFAULTS, "corpus": "block", **json.loads(line)}
        asked["corpus"] = corpora.named(asked["corpus"])
        try:
            say(KINDS[asked["kind"]](argparse.Namespace(**asked)))
        except (LoadError, OSError) as error:
            say({"error": str(error) or type(error).__name__})


if __name__ == "__main__":
    main()
