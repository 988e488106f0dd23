"""Key files: every format OpenSSH writes, and an error of its own for each useless file."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netkit.engine.transport import keys
from netkit.engine.transport.keys import PrivateKeyFile, PublicKeyFile, read_key_file
from netkit.engine.transport.signatures import public_blob
from netkit.errors import KeyFileError
from support.putty_keys import ppk
from support.sshd import make_key

FORMATS = [(), ("-m", "PEM"), ("-m", "PKCS8")]
KINDS = [("ed25519", ()), ("rsa", ("-b", "2048")), ("ecdsa", ("-b", "384"))]


def blob(key: Path) -> bytes:
    return base64.b64decode(Path(f"{key}.pub").read_text().split()[1])


def private(path: Path) -> PrivateKeyFile:
    file = read_key_file(path)
    assert isinstance(file, PrivateKeyFile)
    return file


def fault(path: Path) -> KeyFileError:
    with pytest.raises(KeyFileError) as caught:
        read_key_file(path)
    assert str(path) in caught.value.summary
    return caught.value


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


class TestFormats:
    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize(("kind", "options"), KINDS)
    def test_plain(self, tmp_path, kind, options, form):
        path = make_key(tmp_path / "key", kind, *options, *form)
        file = private(path)
        assert not file.encrypted
        assert file.public == public_blob(file.unlock()) == blob(path)

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize(("kind", "options"), KINDS)
    def test_encrypted(self, tmp_path, kind, options, form):
        path = make_key(tmp_path / "key", kind, *options, *form, passphrase="pässword")
        file = private(path)
        assert file.encrypted
        assert public_blob(file.unlock("pässword")) == blob(path)
        with pytest.raises(KeyFileError) as caught:
            file.unlock("wrong")
        assert caught.value.code == "key-wrong-passphrase"

    def test_openssh_shows_its_public_half_without_the_passphrase(self, tmp_path):
        path = make_key(tmp_path / "key", passphrase="secret")
        assert private(path).public == blob(path)

    @pytest.mark.parametrize("cipher", ["aes256-ctr", "aes256-cbc", "aes256-gcm@openssh.com"])
    def test_ciphers_of_openssh(self, tmp_path, cipher):
        path = make_key(tmp_path / "key", "ed25519", "-Z", cipher, passphrase="secret")
        assert public_blob(private(path).unlock("secret")) == blob(path)

    def test_cipher_that_is_not_supported(self, tmp_path):
        options = ("-Z", "chacha20-poly1305@openssh.com")
        path = make_key(tmp_path / "key", "ed25519", *options, passphrase="secret")
        with pytest.raises(KeyFileError) as caught:
            private(path).unlock("secret")
        assert caught.value.code == "key-unsupported"
        assert caught.value.fixes[0].argv[:2] == ("ssh-keygen", "-p")

    def test_public_key_and_certificate(self, tmp_path):
        path = make_key(tmp_path / "key")
        assert read_key_file(Path(f"{path}.pub")) == PublicKeyFile(Path(f"{path}.pub"), blob(path))


class TestPutty:
    @pytest.mark.parametrize("version", [2, 3])
    @pytest.mark.parametrize("passphrase", ["", "pässword"])
    def test_is_read_and_shows_its_public_half(self, tmp_path, version, passphrase):
        key = make_key(tmp_path / "key")
        file = private(ppk(key, tmp_path / "mine.ppk", version=version, passphrase=passphrase))
        assert (file.public, file.encrypted) == (blob(key), bool(passphrase))
        assert public_blob(file.unlock(passphrase or None)) == blob(key)

    def test_wrong_passphrase(self, tmp_path):
        key = make_key(tmp_path / "key")
        file = private(ppk(key, tmp_path / "mine.ppk", passphrase="right"))
        with pytest.raises(KeyFileError) as caught:
            file.unlock("wrong")
        assert caught.value.code == "key-wrong-passphrase"

    def test_changed_files_are_told_before_anything_is_offered(self, tmp_path):
        path = ppk(make_key(tmp_path / "key"), tmp_path / "mine.ppk")
        write(path, path.read_bytes().replace(b"Comment: key", b"Comment: kez"))
        error = fault(path)
        assert error.code == "key-not-recognised"
        assert "MAC" in error.cause

    def test_open_to_others(self, tmp_path):
        path = ppk(make_key(tmp_path / "key"), tmp_path / "mine.ppk")
        path.chmod(0o644)
        assert fault(path).code == "key-permissions"


class TestFaults:
    def test_missing(self, tmp_path):
        assert fault(tmp_path / "none").code == "key-missing"

    def test_directory(self, tmp_path):
        assert fault(tmp_path).code == "key-unreadable"

    def test_fifo_does_not_block(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        assert fault(tmp_path / "fifo").code == "key-unreadable"

    def test_name_that_is_no_name(self, tmp_path):
        with pytest.raises(KeyFileError):
            read_key_file(Path("with\0nul"))

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
    def test_open_to_others(self, tmp_path, mode):
        path = make_key(tmp_path / "key")
        path.chmod(mode)
        error = fault(path)
        assert error.code == "key-permissions"
        subprocess.run(error.fixes[0].argv, check=True)
        read_key_file(path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_files_of_others_are_not_judged(self, tmp_path):
        path = make_key(tmp_path / "key")
        os.chown(path, 12345, -1)
        path.chmod(0o640)
        read_key_file(path)

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "key-not-recognised"),
            (b"\xff\xfe\0 garbage", "key-not-recognised"),
            (b"ssh-ed25519 notbase64! me", "key-not-recognised"),
            (b"x" * (keys.MAX_KEY_FILE + 1), "key-not-recognised"),
            (b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n", "key-is-dsa"),
            (b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", "key-is-ssh2"),
            (b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0", "key-is-ssh2"),
            (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "key-not-recognised"),
            (b"PuTTY-User-Key-File-2: ssh-dss\n", "key-is-dsa"),
            (b"PuTTY-User-Key-File-3: ssh-ed448\n", "key-unsupported"),
            (b"PuTTY-User-Key-File-1: ssh-rsa\n", "key-unsupported"),
            (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END", "key-not-recognised"),
            (
                b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
                "key-not-recognised",
            ),
        ],
    )
    def test_other_files(self, tmp_path, content, code):
        assert fault(write(tmp_path / "file", content)).code == code

    def test_cut_off(self, tmp_path):
        path = make_key(tmp_path / "key")
        lines = path.read_bytes().splitlines(keepends=True)
        assert fault(write(path, b"".join([*lines[:2], lines[-1]]))).code == "key-not-recognised"

    def test_security_key_handle(self, tmp_path):
        frame = openssh_frame(b"sk-ssh-ed25519@openssh.com")
        error = fault(write(tmp_path / "key", frame))
        assert error.code == "key-needs-agent"
        assert error.fixes[0].argv[0] == "ssh-add"

    def test_dsa_in_openssh_form(self, tmp_path):
        assert fault(write(tmp_path / "key", openssh_frame(b"ssh-dss"))).code == "key-is-dsa"

    def test_rounds_are_bounded(self, tmp_path):
        frame = openssh_frame(b"ssh-ed25519", rounds=2**31)
        error = fault(write(tmp_path / "key", frame))
        assert "bcrypt rounds" in error.cause

    def test_curve_that_ssh_lacks(self, tmp_path):
        openssl = shutil.which("openssl")
        if not openssl:
            pytest.skip("no openssl")
        path = tmp_path / "key"
        argv = [openssl, "ecparam", "-genkey", "-noout", "-name", "secp256k1", "-out", path]
        subprocess.run(argv, check=True)
        path.chmod(0o600)
        assert fault(path).code == "key-unsupported"

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_damaged_keys_never_raise_anything_else(self, tmp_path, data):
        path = tmp_path / "damaged"
        if not path.exists():
            make_key(path)
        content = bytearray((tmp_path / "damaged").read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        damaged = write(tmp_path / "copy", bytes(content))
        try:
            file = read_key_file(damaged)
            if isinstance(file, PrivateKeyFile):
                file.unlock("x" if file.encrypted else None)
        except KeyFileError:
            pass


def openssh_frame(kind: bytes, rounds: int = 16) -> bytes:
    def string(value: bytes) -> bytes:
        return len(value).to_bytes(4, "big") + value

    public = string(kind) + string(bytes(32))
    options = string(bytes(16)) + rounds.to_bytes(4, "big")
    body = b"openssh-key-v1\0" + string(b"aes256-ctr") + string(b"bcrypt") + string(options)
    body += (1).to_bytes(4, "big") + string(public) + string(bytes(64))
    text = base64.encodebytes(body)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + text + b"-----END OPENSSH PRIVATE KEY-----\n"


def test_advice_for_a_public_key_names_the_private_one(tmp_path):
    path = make_key(tmp_path / "key")
    error = keys.public_given(Path(f"{path}.pub"))
    assert error.code == "key-is-public"
    assert str(path) in error.cause
