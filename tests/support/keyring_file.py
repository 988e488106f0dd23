"""A backend of the package keyring for processes of tests; KEYRING_FILE names what it keeps."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Keeps passwords in a file, for anybody to read."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        held = self._read()
        if held.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("there is none")
        self._write(held)

    def _read(self) -> dict[str, str]:
        file = Path(os.environ["KEYRING_FILE"])
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _write(self, held: dict[str, str]) -> None:
        Path(os.environ["KEYRING_FILE"]).write_text(json.dumps(held))
