"""Files of a security key, as ``ssh-keygen -t ed25519-sk`` leaves them; there is no device."""

from __future__ import annotations

import base64
from pathlib import Path

TYPE = b"sk-ssh-ed25519@openssh.com"


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


BLOB = string(TYPE) + string(bytes(32)) + string(b"ssh:")


def write_pair(path: Path) -> Path:
    """Write the handle and the public half."""
    raw = b"openssh-key-v1\0" + 2 * string(b"none") + string(b"") + (1).to_bytes(4, "big")
    raw += string(BLOB) + string(bytes(64))
    text = base64.encodebytes(raw).decode()
    begin, end = (f"-----{word} OPENSSH PRIVATE KEY-----\n" for word in ("BEGIN", "END"))
    path.write_text(begin + text + end)
    path.chmod(0o600)
    line = f"{TYPE.decode()} {base64.b64encode(BLOB).decode()} token\n"
    Path(f"{path}.pub").write_text(line)
    return path
