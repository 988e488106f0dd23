"""Remembering, for each network, after how long it forgets idle connections.

A network is known by its default router's addresses, and neither they nor the name of a gateway are
written down: the file holds salted hashes.  It is the user's alone.  A file that is missing, broken
or of another version counts as an empty one; nothing here fails because of it.
"""

from __future__ import annotations

import logging
import secrets
import time
from pathlib import Path
from typing import Final

from netkit.errors import UsageError
from netkit.files import read_bounded, write_private
from netkit.text.networks import MAX_SIZE, Networks, Timeout, decode, encode, fingerprint

log = logging.getLogger("netkit.networks")

FILE: Final = "networks.json"


def state_file() -> Path:
    """Return where it is."""
    import platformdirs  # noqa: PLC0415 (import cost)

    return Path(platformdirs.user_state_dir("netkit", appauthor=False)) / FILE


def recall(router: str, gateway: str, *, file: Path | None = None) -> Timeout | None:
    """Return what was measured from the network of ``router``, if possible to ``gateway``.

    Args:
        router: what identifies the network; with an empty one nothing is known.
        gateway: what identifies the gateway.
        file: `state_file` by default.
    """
    if not router:
        return None
    known = _read(file or state_file())
    return known.find(fingerprint(known.salt, router), fingerprint(known.salt, gateway))


def remember(
    router: str,
    gateway: str,
    *,
    alive: float,
    dead: float,
    how: str,
    interval: float,
    file: Path | None = None,
) -> bool:
    """Keep a measurement for `recall`; return whether that was possible."""
    if not router:
        return False
    path = file or state_file()
    known = _read(path)
    salt = known.salt or secrets.token_hex(16)
    new = Timeout(
        network=fingerprint(salt, router),
        gateway=fingerprint(salt, gateway),
        alive=alive,
        dead=dead,
        how=how,
        interval=interval,
        measured=time.time(),
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, encode(Networks(salt, known.timeouts).put(new)))
    except (OSError, UsageError) as error:
        log.warning("the timeout of this network is not remembered: %s", error)
        return False
    return True


def _read(path: Path) -> Networks:
    if not path.is_file():
        return Networks()
    try:
        return decode(read_bounded(path, MAX_SIZE))
    except UsageError as error:
        log.info("nothing is remembered of networks: %s", error.summary)
        return Networks()
