"""``netkit key new``, ``convert`` and ``show`` on files."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from netkit.keys.formats import read_private
from support.key_commands import Keys
from support.sshd import make_key, public_line


@pytest.fixture
def keys(monkeypatch, tmp_path) -> Keys:
    return Keys(monkeypatch, tmp_path)


def public(path: Path, passphrase: str = "") -> str:
    argv = ["ssh-keygen", "-y", "-P", passphrase, "-f", str(path)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return " ".join(done.stdout.split()[:2])


class TestNew:
    def test_the_default_is_what_ssh_looks_for(self, keys, tmp_path):
        done = keys.run("new", "--no-passphrase")
        assert done.code == 0, done.err
        path = tmp_path / ".ssh" / "id_ed25519"
        assert done.out.splitlines()[0] == str(path)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert public(path) == " ".join(Path(f"{path}.pub").read_text().split()[:2])
        listed = subprocess.run(
            ["ssh-keygen", "-lv", "-f", path], check=True, capture_output=True, text=True
        ).stdout
        assert listed.split()[1] in done.out
        assert "\n".join(listed.splitlines()[1:]) in done.out

    def test_a_passphrase_is_asked_for_twice(self, keys, tmp_path):
        done = keys.run("new", "k", "--comment", "at home", typed=["secret", "secret"])
        assert done.code == 0, done.err
        assert len(keys.terminal.asked) == 2
        assert public(tmp_path / "k", "secret") == public_line(tmp_path / "k")
        assert "secret" not in done.out + done.err
        assert done.out.splitlines()[1].endswith(" at home")

    def test_an_empty_one_is_none(self, keys, tmp_path):
        done = keys.run("new", "k", typed=[""])
        assert done.code == 0
        assert "no passphrase" in done.err
        assert not read_private(tmp_path / "k").encrypted

    def test_on_standard_input(self, keys, tmp_path):
        words = ("k.ppk", "--passphrase-stdin", "--format", "ppk", "--type", "ecdsa")
        done = keys.run("new", *words, "--bits", "384", stdin="secret\n")
        assert done.code == 0, done.err
        file = read_private(tmp_path / "k.ppk")
        assert (file.form, file.encrypted) == ("ppk", True)
        file.unlock("secret")

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            ((), "no-passphrase"),
            (("--passphrase-stdin",), "no-passphrase-on-stdin"),
            (("--passphrase-stdin", "--no-passphrase"), "options-exclude-each-other"),
            (("--no-passphrase", "--bits", "1024", "--type", "rsa"), "bad-key-size"),
        ],
    )
    def test_what_it_refuses(self, keys, tmp_path, words, code):
        done = keys.run("new", "k", *words)
        assert (done.code, f"[{code}]" in done.err) == (2, True)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("there", ["k", "k.pub"])
    def test_nothing_is_overwritten_and_nobody_is_asked_first(self, keys, tmp_path, there):
        (tmp_path / there).write_text("precious")
        done = keys.run("new", "k", typed=["secret", "secret"])
        assert done.code == 2
        assert keys.terminal.asked == []
        assert (tmp_path / there).read_text() == "precious"

    def test_weak_forms_are_named(self, keys):
        done = keys.run("new", "k", "--format", "ppk2", "--passphrase-stdin", stdin="secret\n")
        assert "SHA-1" in done.err


class TestConvert:
    def test_an_encrypted_key_stays_encrypted(self, keys, tmp_path):
        key = make_key(tmp_path / "key", passphrase="secret")
        done = keys.run("convert", key, "--to", "ppk", "--passphrase-stdin", stdin="secret\n")
        assert (done.code, done.out) == (0, f"{key}.ppk\n")
        file = read_private(Path(f"{key}.ppk"))
        assert (file.encrypted, file.comment) == (True, "key")
        file.unlock("secret")
        assert stat.S_IMODE(Path(f"{key}.ppk").stat().st_mode) == 0o600

    def test_only_said_so_it_does_not(self, keys, tmp_path):
        key = make_key(tmp_path / "key", passphrase="secret")
        words = ("--to", "pkcs8", "-o", "out", "--no-passphrase")
        done = keys.run("convert", key, *words, typed=["wrong", "secret"])
        assert done.code == 0, done.err
        assert len(keys.terminal.asked) == 2
        assert not read_private(tmp_path / "out").encrypted

    def test_another_passphrase(self, keys, tmp_path):
        key = make_key(tmp_path / "key", passphrase="old")
        words = ("--to", "openssh", "-o", "out", "--passphrase-stdin", "--new-passphrase-stdin")
        done = keys.run("convert", key, *words, stdin="old\nnew one\n")
        assert done.code == 0, done.err
        assert public(tmp_path / "out", "new one") == public_line(key)
        done = keys.run("convert", key, "--to", "pem", "-o", "p", "--new-passphrase",
                        typed=["old", "n", "n"])  # fmt: skip
        assert done.code == 0, done.err
        read_private(tmp_path / "p").unlock("n")

    def test_an_empty_new_one_is_no_way_to_decrypt(self, keys, tmp_path):
        key = make_key(tmp_path / "key", passphrase="old")
        done = keys.run("convert", key, "--to", "pem", "--new-passphrase", typed=["old", ""])
        assert done.code == 2
        assert "--no-passphrase" in done.err
        assert not (tmp_path / "key.pem").exists()

    def test_the_public_half_needs_no_passphrase_where_it_is_in_the_clear(self, keys, tmp_path):
        key = make_key(tmp_path / "key", passphrase="secret")
        Path(f"{key}.pub").unlink()
        done = keys.run("convert", key, "--to", "public")
        assert (done.code, keys.terminal.asked) == (0, [])
        assert done.out.split() == public(key, "secret").split()
        done = keys.run("convert", key, "--to", "public", "-o", "k.pub", "--comment", "new")
        assert (done.code, done.out) == (0, "k.pub\n")
        assert (tmp_path / "k.pub").read_text() == f"{public(key, 'secret')} new\n"

    def test_a_file_that_is_there(self, keys, tmp_path):
        key = make_key(tmp_path / "key")
        (tmp_path / "key.ppk").write_text("precious")
        done = keys.run("convert", key, "--to", "ppk")
        assert done.code == 2
        assert f"netkit key convert {key} --to ppk --replace" in done.err
        assert (tmp_path / "key.ppk").read_text() == "precious"
        assert keys.run("convert", key, "--to", "ppk", "--replace").code == 0
        assert read_private(tmp_path / "key.ppk").form == "ppk"

    def test_onto_itself(self, keys, tmp_path):
        key = make_key(tmp_path / "key")
        line = public_line(key)
        assert keys.run("convert", key, "--to", "ppk", "-o", key).code == 2
        assert keys.run("convert", key, "--to", "ppk", "-o", key, "--replace").code == 0
        assert read_private(key).form == "ppk"
        assert keys.run("convert", key, "--to", "openssh", "-o", key, "--replace").code == 0
        assert public(key) == line

    @pytest.mark.parametrize(
        ("name", "form", "out"),
        [
            ("k.ppk", "openssh", "k"),
            ("k", "openssh", "k.openssh"),
            ("k.pem", "ppk", "k.ppk"),
            ("k.ppk", "ppk2", "k.ppk2"),
            ("k", "pkcs8", "k.p8"),
        ],
    )
    def test_names(self, name, form, out):
        from netkit.cli.key.files import _target

        assert _target(Path("/x") / name, form, None) == Path("/x") / out

    @pytest.mark.parametrize(
        ("words", "stdin", "code", "exit_code"),
        [
            (("--passphrase-stdin",), "wrong\n", "key-wrong-passphrase", 6),
            (("--passphrase-stdin",), "", "no-passphrase-on-stdin", 2),
            ((), "", "key-encrypted", 6),
            (("--new-passphrase", "--no-passphrase"), "", "options-exclude-each-other", 2),
        ],
    )
    def test_what_it_refuses(self, keys, tmp_path, words, stdin, code, exit_code):
        key = make_key(tmp_path / "key", passphrase="secret")
        done = keys.run("convert", key, "--to", "ppk", *words, stdin=stdin)
        assert (done.code, f"[{code}]" in done.err) == (exit_code, True), done.err
        assert not (tmp_path / "key.ppk").exists()

    def test_no_key(self, keys, tmp_path):
        key = make_key(tmp_path / "key")
        assert keys.run("convert", "nothing", "--to", "ppk").code == 2
        done = keys.run("convert", f"{key}.pub", "--to", "ppk")
        assert (done.code, "[key-is-public]" in done.err) == (2, True)

    def test_notes(self, keys, tmp_path):
        key = make_key(tmp_path / "key")
        key.chmod(0o644)
        done = keys.run("convert", key, "--to", "pem")
        assert "chmod 600" in done.err
        assert "OpenSSH reads since 9.6" in done.err


class TestShow:
    def test_text(self, keys, tmp_path):
        key = make_key(tmp_path / "key", passphrase="secret")
        done = keys.run("show", key)
        assert (done.code, done.err, keys.terminal.asked) == (0, "", [])
        assert done.out.splitlines()[:2] == [
            str(key),
            "  private key, OpenSSH format, encrypted",
        ]
        assert "+--[ED25519 256]--+" in done.out

    def test_json(self, keys, tmp_path):
        key = make_key(tmp_path / "key", "rsa", "-b", "2048")
        done = keys.run("show", "--json", key, f"{key}.pub")
        private, public_ = json.loads(done.out)["keys"]
        assert (private["kind"], private["format"], private["encrypted"]) == (
            "private",
            "openssh",
            False,
        )
        assert (public_["line"], public_["format"], public_["encrypted"]) == (1, None, None)
        same = ("type", "bits", "sha256", "md5", "randomart", "comment")
        assert [private[name] for name in same] == [public_[name] for name in same]

    def test_many_keys_without_pictures(self, keys, tmp_path):
        lines = [public_line(make_key(tmp_path / name)) for name in ("a", "b")]
        (tmp_path / "list").write_text("\n".join(lines) + "\n")
        done = keys.run("show", "list")
        assert done.out.count("SHA256:") == 2
        assert "+--" not in done.out

    def test_a_bad_file_keeps_nothing_from_the_others(self, keys, tmp_path):
        key = make_key(tmp_path / "key")
        (tmp_path / "junk").write_text("junk")
        done = keys.run("show", "nothing", key, "junk")
        assert done.code == 2
        assert str(key) in done.out
        assert "nothing does not exist" in done.err
        assert "there is no key in junk" in done.err
        done = keys.run("show", "--json", "nothing")
        assert json.loads(done.out)["code"] == "key-missing"
