"""Keys as PuTTYgen writes them, with parameters that take no time."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.peers import require


def ppk(key: Path, out: Path, *, version: int = 3, passphrase: str = "", **params: object) -> Path:
    """Have PuTTYgen write ``key`` to ``out``; ``params`` are those of ``--ppk-param``."""
    secret = out.with_name(f"{out.name}.secret")
    secret.write_text(f"{passphrase}\n" if passphrase else "")
    cost = {"version": version, "memory": 64, "passes": 1, **params}
    words = ",".join(f"{name}={value}" for name, value in cost.items())
    argv = [str(require("puttygen")), str(key), "-O", "private", "-o", str(out)]
    argv += ["--new-passphrase", str(secret), "--ppk-param", words]
    subprocess.run(argv, check=True, timeout=20, stdin=subprocess.DEVNULL, capture_output=True)
    return out
