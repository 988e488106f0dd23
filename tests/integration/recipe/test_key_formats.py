"""Every pair of key formats, both ways, plain and encrypted, judged by puttygen and ssh-keygen.

Sources are written by those two programs; only PKCS#8 of Ed25519, which neither of them writes, is
made with netkit and read with OpenSSL.  Passphrases cost little here, so that it takes seconds.
"""

from __future__ import annotations

import base64
import functools
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from netkit.keys.formats import FORMS, Costs, read_private, write
from netkit.text.openssh_key import comment_in
from netkit.text.ppk import Argon2
from netkit.text.ppk_reading import parse_ppk
from support.peers import require
from support.sshd import make_key, public_line

KINDS = {"ed25519": (), "rsa": ("-b", "2048"), "ecdsa": ("-b", "384")}
CHEAP = Costs(rounds=1, argon2=Argon2(memory=64, passes=1))
SECRET = "pass phräse"
COMMENT = "me@laptop, at home"


def call(*argv: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in argv],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One unencrypted key of each kind, by ssh-keygen."""
    folder = tmp_path_factory.mktemp("originals")
    return {
        kind: make_key(folder / kind, kind, *options, "-C", COMMENT)
        for kind, options in KINDS.items()
    }


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Files with the passphrase, and with none, for puttygen."""
    folder = tmp_path_factory.mktemp("secrets")
    files = {True: folder / "secret", False: folder / "empty"}
    files[True].write_text(f"{SECRET}\n")
    files[False].write_text("")
    return files


def source(original: Path, form: str, secret: str | None, file: Path, out: Path) -> Path:
    """Have puttygen or ssh-keygen write ``original`` in ``form``."""
    if form in ("ppk", "ppk2"):
        cost = f"version={3 if form == 'ppk' else 2},memory=64,passes=1"
        argv = (require("puttygen"), original, "-O", "private", "-o", out, "--new-passphrase")
        call(*argv, file, "--ppk-param", cost)
        return out
    shutil.copy(original, out)
    out.chmod(0o600)
    ed25519 = original.name == "ed25519"
    if ed25519 and form != "openssh":
        key, comment = read_private(original).unlock(None)
        out.write_bytes(write(key, form, comment=comment, passphrase=secret))
        return out
    how = {"openssh": (), "pem": ("-m", "PEM"), "pkcs8": ("-m", "PKCS8")}[form]
    call("ssh-keygen", "-q", "-p", "-P", "", "-N", secret or "", "-a", "1", *how, "-f", out)
    return out


def judge(path: Path, form: str, secret: str | None, file: Path, public: str) -> None:
    """Have the other programs say what the public half of ``path`` is."""
    ed25519 = public.startswith("ssh-ed25519")
    if form in ("openssh", "pem", "ppk", "ppk2") and not (ed25519 and form == "pem"):
        argv = (require("puttygen"), path, "-O", "public-openssh", "--old-passphrase", file)
        assert call(*argv).split()[:2] == public.split()
        assert call(*argv[:2], "-l", *argv[4:]).split()[2] == fingerprint(public)
    if form in ("ppk", "ppk2"):
        out = path.with_name(f"{path.name}.exported")
        argv = (require("puttygen"), path, "-O", "private-openssh", "-o", out)
        call(*argv, "--old-passphrase", file, "--new-passphrase", file)
        assert ssh_keygen(out, secret) == public
    elif ed25519 and form in ("pem", "pkcs8"):
        assert openssl(path, secret) == base64.b64decode(public.split()[1])[-32:]
    else:
        assert ssh_keygen(path, secret) == public


def ssh_keygen(path: Path, secret: str | None) -> str:
    return " ".join(call("ssh-keygen", "-y", "-P", secret or "", "-f", path).split()[:2])


@functools.cache
def fingerprint(public: str) -> str:
    return call("sh", "-c", f"echo '{public}' | ssh-keygen -l -f -").split()[1]


def openssl(path: Path, secret: str | None) -> bytes:
    """Return the raw public half (RFC 8410: it ends the DER)."""
    out = path.with_name(f"{path.name}.der")
    word = ("-passin", f"pass:{secret}") if secret else ()
    call(require("openssl"), "pkey", "-in", path, "-pubout", "-outform", "DER", "-out", out, *word)
    return out.read_bytes()[-32:]


def numbers(key) -> bytes:
    """Return the key in a form of its own, to compare it."""
    return write(key, "pkcs8", comment="", passphrase=None)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_every_pair(tmp_path, originals, secrets, form, kind, encrypted):
    original, file = originals[kind], secrets[encrypted]
    secret = SECRET if encrypted else None
    public = public_line(original)
    made = source(original, form, secret, file, tmp_path / "source")
    shutil.copy(f"{original}.pub", tmp_path / "source.pub")
    read = read_private(made)
    pem_ed25519 = kind == "ed25519" and form == "pem"
    assert (read.form, read.encrypted) == ("pkcs8" if pem_ed25519 else form, encrypted)
    key, comment = read.unlock(secret)
    assert comment == COMMENT
    for target in FORMS:
        out = tmp_path / target
        out.write_bytes(write(key, target, comment=comment, passphrase=secret, costs=CHEAP))
        out.chmod(0o600)
        judge(out, target, secret, file, public)
        again = read_private(out)
        assert again.encrypted == encrypted
        assert numbers(again.unlock(secret)[0]) == numbers(key)
        if target == "openssh":
            assert comment_in(out.read_bytes(), secret) == COMMENT
        elif target in ("ppk", "ppk2"):
            assert parse_ppk(out.read_bytes(), "x").comment_text == COMMENT


def test_putty_reads_back_what_it_would_have_written(tmp_path, originals, secrets):
    """Byte for byte, where the salt is the same."""
    from netkit.text.ppk import write_ppk

    for (kind, original), version in itertools.product(originals.items(), (2, 3)):
        form = "ppk" if version == 3 else "ppk2"
        made = source(original, form, SECRET, secrets[True], tmp_path / f"{kind}{version}")
        file = parse_ppk(made.read_bytes(), "x")
        again = write_ppk(
            file.unlock(SECRET),
            comment=file.comment_text,
            passphrase=SECRET,
            version=version,
            derivation=file.derivation,
            salt=file.salt,
        )
        assert again == made.read_bytes()
