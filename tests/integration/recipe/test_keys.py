"""``netkit key install``: against a real sshd and a real dropbear, and then a login with that key.

The account has a home of its own, and sshd is as strict about it as everywhere.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from netkit.text.public_keys import find_keys
from support.cli import Outcome
from support.dropbear import Dropbear
from support.homes import PASSWORD, UID, USER, Home, config, home, netkit
from support.peers import require
from support.sshd import make_key, public_line

OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Hm1hrPHSkwKFhTQlmzlzIgSFYgvcFiWmT2tPq5OQm other\n"


@pytest.fixture(scope="module")
def shared() -> Iterator[Home]:
    """An sshd for the tests of this file, each of which writes its own authorized_keys."""
    with home() as running:
        yield running


@pytest.fixture
def there(shared: Home) -> Iterator[Home]:
    yield shared
    subprocess.run(["rm", "-rf", str(shared.path / ".ssh")], check=True)
    shared.path.chmod(0o755)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "id")


def install(there: Home, key: Path, *more: str | Path, password: str = PASSWORD) -> Outcome:
    cwd = key.parent
    words: list[str | Path] = [f"{USER}@{there.sshd.host}:{there.sshd.port}", "-i", key]
    words += ["-F", config(cwd, there.sshd.known_hosts())]
    if password:
        words.append("--password-stdin")
    return netkit("key", "install", *words, *more, cwd=cwd, stdin=f"{password}\n")


def logs_in(there: Home, key: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Log in with OpenSSH's own client and this key alone; it says ``in`` unless told else."""
    options = ("BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "ConnectTimeout=10")
    argv = [str(require("ssh")), "-F", "none", "-i", str(key), "-p", str(there.sshd.port)]
    argv += ["-o", f"UserKnownHostsFile={there.sshd.known_hosts()}"]
    for option in options:
        argv += ["-o", option]
    target = f"{USER}@{there.sshd.host}"
    return subprocess.run(
        [*argv, *words, target] if words else [*argv, target, "echo in"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def owner(path: Path) -> int:
    return path.lstat().st_uid


def test_a_new_account(there, key):
    done = install(there, key)
    assert done.code == 0, done.err
    assert there.authorized_keys.read_text() == f"{public_line(key)} id\n"
    assert there.authorized_keys.stat().st_mode & 0o777 == 0o600
    assert there.authorized_keys.parent.stat().st_mode & 0o777 == 0o700
    assert owner(there.authorized_keys) == UID
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", f"{key}.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert f"{fingerprint} added to {there.path}/.ssh/authorized_keys" in done.out
    assert "this key alone logs in" in done.out
    assert PASSWORD not in done.out + done.err
    assert logs_in(there, key).stdout == "in\n"


def test_twice_is_once_whatever_its_comment_and_options(there, key):
    odd = f'no-pty,from="127.0.0.0/8"\t{public_line(key)} another comment'
    before = f"# comment {public_line(key)}\n{OTHER}{odd}"
    there.write(before)
    done = install(there, key)
    assert done.code == 0, done.err
    assert "there already in" in done.out
    assert 'no-pty,from="127.0.0.0/8"' in done.err
    assert there.authorized_keys.read_text() == before


def test_a_missing_last_newline_glues_nothing(there, key):
    there.write(OTHER.rstrip("\n"))
    assert install(there, key).code == 0
    assert there.authorized_keys.read_text() == f"{OTHER}{public_line(key)} id\n"


def test_permissions_are_repaired(there, key):
    there.write(OTHER, mode=0o666)
    there.authorized_keys.parent.chmod(0o777)
    there.path.chmod(0o777)
    done = install(there, key)
    assert done.code == 0, done.err
    assert there.path.stat().st_mode & 0o777 == 0o755
    assert there.authorized_keys.parent.stat().st_mode & 0o777 == 0o700
    assert there.authorized_keys.stat().st_mode & 0o777 == 0o600
    assert done.err.count("mended") >= 2


def test_the_file_of_old_servers_is_honoured(there, key):
    there.write("")
    old = there.authorized_keys.with_name("authorized_keys2")
    there.authorized_keys.rename(old)
    old.write_text(OTHER)
    assert install(there, key).code == 0
    assert old.read_text() == f"{OTHER}{public_line(key)} id\n"
    assert not there.authorized_keys.exists()


def test_a_symbolic_link_is_followed(there, key):
    there.write("")
    real = there.path / "dotfiles" / "keys"
    real.parent.mkdir(mode=0o755, exist_ok=True)
    os.chown(real.parent, UID, UID)
    there.authorized_keys.unlink()
    there.authorized_keys.symlink_to("../dotfiles/keys")
    real.write_text(OTHER)
    os.chown(real, UID, UID)
    assert install(there, key).code == 0
    assert there.authorized_keys.is_symlink()
    assert real.read_text() == f"{OTHER}{public_line(key)} id\n"
    # one that leads to what belongs to somebody else is not
    os.chown(real, 0, 0)
    refused = install(there, make_key(key.parent / "second"))
    assert (refused.code, real.read_text().count("\n")) == (6, 2)
    assert "belongs to another account" in refused.err
    subprocess.run(["rm", "-rf", str(real.parent)], check=True)


@pytest.mark.parametrize(
    ("mode", "uid", "why"),
    [(0o400, UID, "no write permission"), (0o644, 0, "belongs to another account")],
    ids=["read-only", "not ours"],
)
def test_files_that_are_left_alone(there, key, mode, uid, why):
    there.write(OTHER, mode=mode, uid=uid)
    done = install(there, key)
    assert done.code == 6
    assert "[key-not-added]" in done.err
    assert why in done.err
    assert f"{public_line(key)} id" in done.err  # the line to add by hand
    assert there.authorized_keys.read_text() == OTHER
    assert list(there.authorized_keys.parent.iterdir()) == [there.authorized_keys]


def test_a_full_disk_loses_nothing(key):
    with home(tmpfs="64k") as there:
        there.write(OTHER)
        filler = there.path / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while file.write(b"x" * 1024):
                pass
        done = install(there, key)
        assert done.code == 6
        assert "disk" in done.err
        assert there.authorized_keys.read_text() == OTHER
        assert list(there.authorized_keys.parent.iterdir()) == [there.authorized_keys]
        filler.unlink()
        assert install(there, key).code == 0
        assert there.authorized_keys.read_text() == f"{OTHER}{public_line(key)} id\n"
        assert logs_in(there, key).stdout == "in\n"


def test_a_key_for_tunnels_only(there, key):
    port = there.sshd.port
    more = ("--restrict", "--permit-open", f"127.0.0.1:{port}", "--permit-listen", "8080")
    assert install(there, key, *more).code == 0
    (entry,) = find_keys(there.authorized_keys.read_text())
    assert entry.before.startswith("restrict,port-forwarding,")
    assert f'permitopen="127.0.0.1:{port}"' in entry.before
    assert 'permitlisten="8080"' in entry.before
    ran = logs_in(there, key)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert logs_in(there, key, "-W", f"127.0.0.1:{port}").stdout.startswith("SSH-2.0-")
    assert "prohibited" in logs_in(there, key, "-W", "127.0.0.1:1").stderr
    # the same again changes nothing, other options take --replace
    text = there.authorized_keys.read_text()
    assert install(there, key, *more).code == 0
    other = install(there, key, "--restrict", "--permit-open", "127.0.0.1:1")
    assert (other.code, there.authorized_keys.read_text()) == (6, text)
    assert "--replace" in other.err
    there.write(f"{OTHER}{text}# end\n")
    assert install(there, key, "--restrict", "--permit-open", "[::1]:1", "--replace").code == 0
    first, second, third = there.authorized_keys.read_text().splitlines()
    assert (f"{first}\n", third) == (OTHER, "# end")
    assert 'permitopen="[::1]:1"' in second
    assert str(port) not in second


def test_nothing_is_done_on_a_dry_run(there, key):
    done = install(there, key, "--dry-run", password="")
    assert done.code == 0
    assert f"line     {public_line(key)} id" in done.out
    assert not there.authorized_keys.parent.exists()


@pytest.mark.parametrize("form", ["ppk", "pem"])
def test_keys_of_other_formats_and_passphrases(there, key, form, tmp_path):
    """Nobody is there to unlock it, so an agent proves it."""
    from support.agent import Agent

    made = netkit("key", "convert", key, "--to", form, "-o", "out", cwd=tmp_path)
    assert made.code == 0, made.err
    out = tmp_path / "out"
    assert install(there, out).code == 0
    assert logs_in(there, key).stdout == "in\n"
    locked = netkit(
        "key", "convert", key, "--to", form, "-o", "locked", "--new-passphrase-stdin",
        cwd=tmp_path, stdin="pass phrase\n",
    )  # fmt: skip
    assert locked.code == 0, locked.err
    (tmp_path / "locked.pub").write_text(Path(f"{key}.pub").read_text())
    unproved = install(there, tmp_path / "locked")
    assert unproved.code == 6
    assert "is encrypted and there is no terminal" in unproved.err
    with Agent() as agent:
        agent.add(key)
        lines = f"IdentityAgent {agent.socket}"
        words = [f"{USER}@127.0.0.1:{there.sshd.port}", "-i", tmp_path / "locked"]
        path = tmp_path / "with_agent"
        path.write_text(f"Host *\n{lines}\nUserKnownHostsFile {there.sshd.known_hosts()}\n")
        done = netkit("key", "install", *words, "-F", path, cwd=tmp_path)
        assert done.code == 0, done.err


def test_through_a_jump_host_and_from_a_profile(there, key, tmp_path):
    """The jump host has a key of its own, which gets in at the gateway, too."""
    other = make_key(tmp_path / "jump")
    there.write(f"{public_line(other)}\n")
    target = f"{USER}@127.0.0.1:{there.sshd.port}"
    path = config(tmp_path, there.sshd.known_hosts(), f"IdentityFile {other}")
    done = netkit("key", "install", target, "-J", target, "-i", key, "-F", path, cwd=tmp_path)
    assert done.code == 0, done.err
    there.authorized_keys.unlink()
    words = (target, "-F", path, "-i", key, "-L", "0:127.0.0.1:1")
    saved = netkit("profile", "save", "work", *words, cwd=tmp_path)
    assert saved.code == 0, saved.err
    done = netkit("key", "install", "work", "--password-stdin", cwd=tmp_path, stdin=PASSWORD)
    assert done.code == 0, done.err
    assert there.authorized_keys.read_text() == f"{public_line(key)} id\n"


def test_a_wrong_password(there, key):
    done = install(there, key, password="wrong")
    assert done.code == 6
    assert not there.authorized_keys.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"AuthorizedKeysFile": "/etc/netkit-nowhere/%u"}, "/etc/netkit-nowhere/nobody"),
        ({"AuthorizedKeysFile": "none"}, "takes no keys from files"),
        ({"PubkeyAcceptedAlgorithms": "rsa-sha2-512"}, "no keys of the type ssh-ed25519"),
        ({"ForceCommand": "echo menu"}, "a forced command or a menu"),
        ({"AuthenticationMethods": "publickey,password password"}, "one more factor"),
    ],
    ids=["elsewhere", "none", "type", "forced command", "second factor"],
)
def test_gateways_where_it_cannot_work(key, options, words):
    with home(**options) as there:
        done = install(there, key)
    assert done.code == 6, done.out
    assert words in done.err
    assert "logs in" not in done.out


def test_a_certificate_that_logs_in_proves_nothing_of_the_key(tmp_path, key):
    authority = make_key(tmp_path / "ca")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", authority, "-I", "x", "-n", USER, f"{key}.pub"], check=True
    )
    with home(TrustedUserCAKeys=f"{authority}.pub") as there:
        done = install(there, key)
    assert done.code == 6
    assert "[key-not-proved]" in done.err


@pytest.mark.parametrize("uid", [UID, 0], ids=["sshd_config", "sshd -T"])
def test_the_file_that_sshd_reads(key, uid):
    """As root sshd itself can be asked, which knows what a Match block says."""
    match = ("Match User nobody", "AuthorizedKeysFile %h/.ssh/%u_keys")
    options = {"extra": match} if uid == 0 else {"AuthorizedKeysFile": "%h/.ssh/%u_keys"}
    with home(uid=uid, **options) as there:
        done = install(there, key)
        assert done.code == 0, done.err
        assert (there.path / ".ssh" / "nobody_keys").read_text() == f"{public_line(key)} id\n"
        assert logs_in(there, key).stdout == "in\n"


def test_strict_modes_that_cannot_be_mended(there, key):
    """The home is somebody else's and open: sshd refuses every key in it."""
    there.write(OTHER)
    os.chown(there.path, 12345, 12345)
    there.path.chmod(0o777)
    done = install(there, key)
    os.chown(there.path, UID, UID)
    assert done.code == 6
    assert "[key-does-not-log-in]" in done.err
    assert "StrictModes" in done.err
    assert f"chmod go-w {shlex.quote(str(there.path))}" in done.err


def test_login_shells_do_not_matter(key):
    shell = Path("/bin/bash")
    with home(shell=str(shell)) as there:
        (there.path / ".bashrc").write_text("echo welcome; echo netkit-key: added >&2\n")
        done = install(there, key)
        assert done.code == 0, done.err
        assert logs_in(there, key).stdout.endswith("in\n")


def test_dropbear(tmp_path, key):
    with Dropbear(tmp_path) as server:
        keys = tmp_path / "dropbear/home/.ssh/authorized_keys"
        before = keys.read_text()
        path = config(tmp_path, server.known_hosts(), f"IdentityFile {server.client_key}")
        words = [f"{server.user}@127.0.0.1:{server.port}", "-i", key, "-F", path]
        done = netkit("key", "install", *words, cwd=tmp_path)
        assert done.code == 0, done.err
        assert keys.read_text() == f"{before}{public_line(key)} id\n"
        alone = ["ssh", "-F", str(path), "-o", "IdentitiesOnly=yes", "-i", str(key)]
        argv = [*alone, "-p", str(server.port), f"{server.user}@127.0.0.1", "echo in"]
        path.write_text(path.read_text().replace(f"IdentityFile {server.client_key}", ""))
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
        assert ran.stdout == "in\n"
        # its options are other ones
        words[-1] = config(tmp_path, server.known_hosts(), f"IdentityFile {server.client_key}")
        more = ("--restrict", "--permit-open", "127.0.0.1:80", "--replace")
        done = netkit("key", "install", *words, *more, cwd=tmp_path)
        assert done.code == 0, done.err
        assert 'no-pty,no-agent-forwarding,no-X11-forwarding,permitopen="127.0.0.1:80"' in (
            keys.read_text()
        )
