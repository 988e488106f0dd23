"""Taking secrets out of what was read: private keys, passwords in argument lists and URLs."""

from __future__ import annotations

import re

MASK = "***"

_ARMOUR = re.compile(
    rb"(-----BEGIN (?:[A-Z0-9 ]{0,40} )?PRIVATE KEY-----)(.*?)(-----END |\Z)", re.DOTALL
)
_PPK = re.compile(
    rb"^(Private-Lines: *)(\d{1,6})(\r?\n)(.*?)(?=^[A-Za-z][A-Za-z-]*:|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PPK_MARK = b"PuTTY-User-Key-File-"
_HEADER = re.compile(rb"\A(?:\s*[A-Za-z][A-Za-z-]*:[^\n]*\n|\s*\n)*")
_KEY_CHARACTER = re.compile(rb"[A-Za-z0-9+/=]")

# What begins with a port and a path is no password, although an @ may follow.
_URL_PASSWORD = re.compile(r"(://[^/@\s:]{0,64}:)(?!\d{1,5}[/?#])[^@\s]{0,512}@")
_SECRET_OPTION = re.compile(
    r"(?:-{1,2}|/)?[\w.-]*"
    r"(?:pass(?:word|wd|phrase)?|pwd?|secret|token|api[-_]?key|cookie|credentials?)",
    re.IGNORECASE,
)


def without_private_keys(data: bytes) -> bytes:
    """Return ``data`` with the inner part of private keys as ``*``; lengths and lines stay."""
    if b"PRIVATE KEY-----" in data:
        data = _ARMOUR.sub(_mask_armour, data)
    if _PPK_MARK in data:
        data = _PPK.sub(_mask_ppk, data)
    return data


def _mask_armour(match: re.Match[bytes]) -> bytes:
    body = match[2]
    # Proc-Type and DEK-Info say how it is encrypted, which is no secret.
    header = _HEADER.match(body)
    kept = header[0] if header is not None else b""
    return match[1] + kept + _KEY_CHARACTER.sub(b"*", body[len(kept) :]) + match[3]


def _mask_ppk(match: re.Match[bytes]) -> bytes:
    return match[1] + match[2] + match[3] + _KEY_CHARACTER.sub(b"*", match[4])


def without_url_password(text: str) -> str:
    """Return ``text`` with the password of ``scheme://user:password@host`` masked."""
    return _URL_PASSWORD.sub(rf"\1{MASK}@", text) if "://" in text else text


def without_passwords(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return an argument list with the values of options that hold passwords masked."""
    shown: list[str] = []
    tool = re.split(r"[\\/]", words[0])[-1].lower().removesuffix(".exe") if words else ""
    secret = False
    for index, word in enumerate(words):
        is_option = word.startswith(("-", "/"))
        if secret:
            shown.append(MASK)
            secret = False
        elif index and tool == "sshpass" and word.startswith("-p"):
            shown.append("-p" if word == "-p" else f"-p{MASK}")
            secret = word == "-p"
        elif index and (found := _SECRET_OPTION.match(word)) is not None:
            rest = word[found.end() :]
            if rest[:1] == "=" or (rest[:1] == ":" and is_option):
                shown.append(f"{found[0]}{rest[0]}{MASK}")
            else:
                shown.append(without_url_password(word))
                secret = is_option and not rest
        else:
            shown.append(without_url_password(word))
    return tuple(shown)
