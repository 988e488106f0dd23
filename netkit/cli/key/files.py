"""What ``netkit key new``, ``convert`` and ``show`` do with files."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netkit.cli.key import passphrases
from netkit.cli.main import PROGRAM
from netkit.cli.terminal import TerminalPrompter
from netkit.engine.transport import keys as key_files
from netkit.engine.transport.signatures import public_blob
from netkit.errors import KeyFileError, NetkitError, UsageError
from netkit.files import write_private
from netkit.keys import formats, pair
from netkit.keys.show import Shown, look
from netkit.model import Fix
from netkit.text.fingerprints import key_type, randomart, sha256_fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netkit.cli.output import Output
    from netkit.engine.transport.signatures import PrivateKey

_TITLES = {
    "openssh": "OpenSSH format",
    "pem": "PEM format (PKCS#1 or SEC1)",
    "pkcs8": "PKCS#8 format",
    "ppk": "PuTTY format, version 3",
    "ppk2": "PuTTY format, version 2",
}
_ENDINGS = {"openssh": "", "pem": ".pem", "pkcs8": ".p8", "ppk": ".ppk", "ppk2": ".ppk"}
_LOGIN_CODES = {"key-wrong-passphrase", "key-encrypted"}
"""What keeps the exit code of a failed login; every other fault of a file is one of usage here."""


def make(
    output: Output,
    file: Path | None,
    *,
    kind: str,
    bits: int | None,
    comment: str | None,
    passphrase_stdin: bool,
    no_passphrase: bool,
    form: str,
) -> int:
    """Make a pair and show it.

    Raises:
        UsageError: it is there already, cannot be written, or nobody gave a passphrase.
    """
    if passphrase_stdin and no_passphrase:
        raise _exclusive("--passphrase-stdin", "--no-passphrase")
    path = _default(kind, form) if file is None else file.expanduser()
    pair.refuse_existing(path, Path(f"{path}.pub"))
    if file is None:
        _make_directory(path.parent)
    secret = None
    if passphrase_stdin:
        secret = passphrases.StdinLines().next("passphrase")
    elif not no_passphrase:
        prompter = TerminalPrompter()
        if not prompter.has_terminal():
            raise passphrases.nobody_to_ask("the new key", "new")
        secret = passphrases.ask_new(prompter, f"the new key {path}", "new")
    key = pair.generate(kind, bits)
    text = _own_comment() if comment is None else comment
    made = pair.make_pair(path, key, form=form, comment=text, passphrase=secret)
    output.data(str(made.private))
    output.data(f"{sha256_fingerprint(made.blob)} {text}".rstrip())
    output.data(randomart(made.blob))
    _warn(output, key, form, secret)
    if secret is None:
        output.talk("it has no passphrase: whoever has the file can use it")
    output.talk(
        f"the public half is {made.public}; '{PROGRAM} key install GATEWAY -i {path}'"
        " brings it to a gateway"
    )
    return 0


def _default(kind: str, form: str) -> Path:
    return Path(f"~/.ssh/id_{kind}{_ENDINGS[form]}").expanduser()


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be made: {error.strerror}",
            code="cannot-write",
            cause="give the key's file a name elsewhere",
        ) from None


def _own_comment() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    return "@".join(filter(None, (user, socket.gethostname().partition(".")[0])))


# --- convert ---


@dataclass(frozen=True, slots=True)
class _Wish:
    """What shall become of the passphrase."""

    passphrase_stdin: bool
    new_passphrase: bool
    new_passphrase_stdin: bool
    no_passphrase: bool

    def check(self) -> None:
        named = [
            name
            for name, given in (
                ("--new-passphrase", self.new_passphrase),
                ("--new-passphrase-stdin", self.new_passphrase_stdin),
                ("--no-passphrase", self.no_passphrase),
            )
            if given
        ]
        if len(named) > 1:
            raise _exclusive(*named[:2])


def convert(
    output: Output,
    file: Path,
    *,
    form: str,
    out: Path | None,
    replace: bool,
    comment: str | None,
    **secrets: Any,
) -> int:
    """Write a key in another format.

    Raises:
        UsageError: it cannot be read, written, or is no private key.
        KeyFileError: the passphrase is wrong, or there is nobody to ask for it.
    """
    wish = _Wish(**secrets)
    wish.check()
    path = file.expanduser()
    try:
        source = formats.read_private(path)
    except KeyFileError as error:
        raise _usage(error) from None
    target = _target(path, form, out)
    if target is not None and not replace:
        _refuse(target)
    if not source.protected:
        output.talk(f"{path} can be read by other users: chmod 600 {path}")
    if form == "public" and source.public:
        text = formats.public_line(source.public, source.comment if comment is None else comment)
        return _write_public(output, text, target, replace=replace)
    lines = passphrases.StdinLines()
    key, found, secret = _unlocked(source, wish, lines)
    text = found if comment is None else comment
    if form == "public":
        line = formats.public_line(public_blob(key), text)
        return _write_public(output, line, target, replace=replace)
    assert target is not None
    secret = _new_secret(wish, lines, secret, target)
    data = formats.write(key, form, comment=text, passphrase=secret)
    _write(target, data, 0o600, replace=replace)
    _warn(output, key, form, secret)
    output.data(str(target))
    return 0


def _target(path: Path, form: str, out: Path | None) -> Path | None:
    """Return the file to write; None for standard output."""
    if out is not None:
        return out.expanduser()
    if form == "public":
        return None
    known = {".ppk", ".pem", ".p8", ".key", ".openssh"}
    base = path.with_suffix("") if path.suffix.lower() in known else path
    target = base.with_name(base.name + _ENDINGS[form])
    return base.with_name(f"{base.name}.{form}") if target == path else target


def _refuse(target: Path) -> None:
    try:
        pair.refuse_existing(target)
    except UsageError as error:
        again = Fix((PROGRAM, "key", "convert", "...", "--replace"), note="replaces it")
        error.fixes = (*error.fixes, again)
        raise


def _unlocked(
    source: formats.KeyFile, wish: _Wish, lines: passphrases.StdinLines
) -> tuple[PrivateKey, str, str | None]:
    """Return the key, its comment and its passphrase."""
    try:
        if not source.encrypted:
            return *source.unlock(None), None
        if wish.passphrase_stdin:
            secret = lines.next("passphrase")
            return *source.unlock(secret), secret
        prompter = TerminalPrompter()
        (key, comment), secret = passphrases.unlock(
            source.unlock,
            lambda: prompter.secret(f"Enter passphrase for key '{source.path}':"),
            _locked(source.path),
        )
    except KeyFileError as error:
        raise _usage(error) from None
    return key, comment, secret


def _new_secret(
    wish: _Wish, lines: passphrases.StdinLines, secret: str | None, target: Path
) -> str | None:
    if wish.no_passphrase:
        return None
    if wish.new_passphrase_stdin:
        return lines.next("new passphrase")
    if not wish.new_passphrase:
        return secret
    prompter = TerminalPrompter()
    if not prompter.has_terminal():
        raise passphrases.nobody_to_ask(str(target), "convert")
    chosen = passphrases.ask_new(prompter, str(target), "convert")
    if chosen is None and secret is not None:
        raise UsageError(
            f"an empty passphrase would leave {target} unencrypted",
            code="no-passphrase",
            fixes=(Fix((PROGRAM, "key", "convert", "...", "--no-passphrase"), note="says so"),),
        )
    return chosen


def _write_public(output: Output, line: str, target: Path | None, *, replace: bool) -> int:
    if target is None:
        output.data(line)
        return 0
    _write(target, f"{line}\n".encode(), 0o644, replace=replace)
    output.data(str(target))
    return 0


def _write(target: Path, data: bytes, mode: int, *, replace: bool) -> None:
    if not replace:
        pair.write_new({target: (data, mode)})
        return
    write_private(target, data)
    if mode != 0o600:
        target.chmod(mode)


def _warn(output: Output, key: PrivateKey, form: str, secret: str | None) -> None:
    if form == "pem" and key_type(public_blob(key)) == "ssh-ed25519":
        output.talk("Ed25519 has no older PEM form: it is PKCS#8, which OpenSSH reads since 9.6")
        return
    if secret is not None and form in formats.WEAK:
        output.talk(f"{form}: {formats.WEAK[form]}")


# --- show ---


def show(output: Output, files: Sequence[Path]) -> int:
    """Show the keys of every file; what cannot be read does not keep the others from it.

    Raises:
        NetkitError: the first file that could not be read, after the others.
    """
    prompter = TerminalPrompter()
    found: list[Shown] = []
    failed: list[NetkitError] = []
    for file in files:
        try:
            shown = look(file.expanduser(), prompter.secret)
        except NetkitError as error:
            failed.append(_usage(error) if isinstance(error, KeyFileError) else error)
            continue
        found += shown
        if not output.as_json:
            for key in shown:
                for line in _lines(key, art=len(shown) == 1):
                    output.data(line)
    if output.as_json and (found or not failed):
        output.document({"keys": [_dict(key) for key in found]})
    for other in failed[1:]:
        output.talk(f"{other.summary}: {other.cause}" if other.cause else other.summary)
    if failed:
        raise failed[0]
    return 0


def _lines(key: Shown, *, art: bool) -> list[str]:
    """Return what to print; the random art of many keys would hide them."""
    where = f"{key.path}:{key.line}" if key.line else str(key.path)
    what = {"private": "private key", "public": "public key"}.get(key.kind, "certificate")
    about = [what, _TITLES.get(key.form, ""), "encrypted" if key.encrypted else ""]
    if key.kind == "private" and not key.encrypted:
        about[2] = "not encrypted"
    lines = [where, "  " + ", ".join(filter(None, about))]
    if key.type:
        bits = f" {key.bits} bits" if key.bits else ""
        lines.append(f"  {key.type}{bits}  {key.comment}".rstrip())
    lines += [f"  {text}" for text in (key.before, *key.certificate) if text]
    lines += [f"  {text}" for text in (key.sha256, key.md5) if text]
    lines += [f"  {row}" for row in key.art.splitlines() if art]
    return [*lines, *(f"  ! {fault}" for fault in key.faults)]


def _dict(key: Shown) -> dict[str, Any]:
    return {
        "path": str(key.path),
        "line": key.line or None,
        "kind": key.kind,
        "format": key.form or None,
        "type": key.type or None,
        "bits": key.bits or None,
        "comment": key.comment,
        "sha256": key.sha256 or None,
        "md5": key.md5 or None,
        "encrypted": key.encrypted if key.kind == "private" else None,
        "before": key.before,
        "certificate": list(key.certificate),
        "faults": list(key.faults),
        "randomart": key.art.splitlines(),
    }


def _usage(error: KeyFileError) -> NetkitError:
    """Return the error with the exit code that fits a command about files."""
    if error.code in _LOGIN_CODES:
        return error
    return UsageError(error.summary, code=error.code, cause=error.cause, fixes=error.fixes)


def _locked(path: Path) -> KeyFileError:
    error = key_files.locked(path)
    error.cause = "its passphrase can come from standard input instead"
    error.fixes = (Fix((PROGRAM, "key", "convert", "...", "--passphrase-stdin")),)
    return error


def _exclusive(one: str, other: str) -> UsageError:
    return UsageError(
        f"{one} and {other} exclude each other",
        code="options-exclude-each-other",
        cause="they say different things about the passphrase",
    )
