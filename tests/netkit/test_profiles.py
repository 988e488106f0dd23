"""The file of profiles: kept, changed, and never lost."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from netkit import profiles
from netkit.errors import ConfigError, UsageError
from netkit.model import ForwardKind, Gateway, Profile, TunnelSpec
from netkit.text.forwards import parse_forward
from support.cli import environment
from support.profiles import OFFICE

PLAIN = Profile(
    name="plain",
    tunnel=TunnelSpec(
        gateway=Gateway("gw"), forwards=(parse_forward(ForwardKind.DYNAMIC, "1080"),)
    ),
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config/netkit/profiles.toml"


@pytest.fixture
def office(file):
    file.parent.mkdir(parents=True)
    file.write_text(OFFICE)
    return file


class TestWhere:
    def test_the_configuration_folder(self, monkeypatch, tmp_path):
        monkeypatch.delenv(profiles.VARIABLE, raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert profiles.profiles_file().name == "profiles.toml"
        assert tmp_path in profiles.profiles_file().parents

    def test_the_variable(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv(profiles.VARIABLE, "~/mine.toml")
        assert profiles.profiles_file() == tmp_path / "mine.toml"
        assert profiles.save(PLAIN) == "added"
        assert profiles.get("plain") == PLAIN


class TestSave:
    def test_added_unchanged_changed(self, file):
        assert profiles.save(PLAIN, path=file) == "added"
        assert profiles.save(PLAIN, path=file) == "unchanged"
        assert profiles.save(replace(PLAIN, note="x"), replace=True, path=file) == "changed"
        assert profiles.get("plain", file).note == "x"
        assert list(file.parent.iterdir()) == [file]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    def test_another_one_of_that_name(self, file):
        profiles.save(PLAIN, path=file)
        before = file.read_bytes()
        with pytest.raises(UsageError) as raised:
            profiles.save(replace(PLAIN, note="x"), path=file)
        assert raised.value.code == "profile-exists"
        assert file.read_bytes() == before

    def test_paths_hold_in_any_folder_and_another_home(self, file, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        tunnel = replace(
            PLAIN.tunnel,
            identities=(tmp_path / ".ssh/key", Path("here"), Path("/etc/key")),
            config_file=Path("none"),
        )
        profile = replace(PLAIN, tunnel=tunnel)
        profiles.save(profile, path=file)
        saved = profiles.stored("plain", file).tunnel
        assert [str(each) for each in saved.identities] == ["~/.ssh/key", "~/here", "/etc/key"]
        assert profiles.save(profile, path=file) == "unchanged"
        monkeypatch.setenv("HOME", "/elsewhere")
        assert profiles.get("plain", file).tunnel.identities[0] == Path("/elsewhere/.ssh/key")
        assert profiles.get("plain", file).tunnel.config_file == Path("none")

    def test_what_it_would_do(self, file):
        assert profiles.would_save(PLAIN, path=file) == "added"
        assert not file.exists()
        profiles.save(PLAIN, path=file)
        assert profiles.would_save(PLAIN, path=file) == "unchanged"
        assert profiles.would_save(replace(PLAIN, note="x"), path=file) == "changed"

    def test_a_file_that_is_wrong_stays(self, file):
        file.parent.mkdir(parents=True)
        file.write_text("x = 1\n")
        with pytest.raises(ConfigError, match="line 1: at x: there is no such key"):
            profiles.save(PLAIN, path=file)
        assert file.read_text() == "x = 1\n"


class TestLoad:
    def test_no_file(self, file):
        assert profiles.load(file).profiles == ()

    def test_a_file(self, office):
        assert profiles.load(office).names == ("office", "home")

    def test_an_unknown_name(self, office):
        with pytest.raises(UsageError) as raised:
            profiles.get("ofice", office)
        assert raised.value.code == "unknown-profile"
        assert raised.value.cause == "did you mean office?"
        with pytest.raises(UsageError) as raised:
            profiles.get("zzz", office)
        assert raised.value.cause == "there are office, home"

    def test_where_none_is_saved(self, file):
        with pytest.raises(UsageError) as raised:
            profiles.get("zzz", file)
        assert raised.value.cause == f"none is saved in {file}"

    @pytest.mark.parametrize("what", ["folder", "pipe", "long"])
    def test_what_is_no_file_of_ours(self, tmp_path, what):
        path = tmp_path / "profiles.toml"
        if what == "folder":
            path.mkdir()
        elif what == "pipe":
            os.mkfifo(path)
        else:
            path.write_bytes(b"#" * (1 << 20) + b"\n")
        with pytest.raises(UsageError) as raised:
            profiles.load(path)
        assert raised.value.code == "bad-file"
        with pytest.raises(UsageError):
            profiles.save(PLAIN, path=path)


class TestChanges:
    def test_remove(self, office):
        profiles.remove("office", path=office)
        assert profiles.load(office).names == ("home",)
        assert profiles.load(office).default == ""
        with pytest.raises(UsageError, match="there is no profile 'office'"):
            profiles.remove("office", path=office)

    def test_rename(self, office):
        profiles.rename("office", "desk", path=office)
        assert profiles.load(office).names == ("desk", "home")
        assert profiles.load(office).default == "desk"
        with pytest.raises(UsageError, match="there is a profile home already"):
            profiles.rename("desk", "home", path=office)
        with pytest.raises(UsageError, match="there is no profile 'office'"):
            profiles.rename("office", "x", path=office)
        profiles.rename("home", "home", path=office)

    def test_default(self, office):
        profiles.set_default("home", path=office)
        assert profiles.load(office).default == "home"
        profiles.set_default("", path=office)
        assert profiles.load(office).default == ""
        with pytest.raises(UsageError, match="there is no profile 'x'"):
            profiles.set_default("x", path=office)

    def test_comments_survive_all_of_them(self, office):
        profiles.save(PLAIN, path=office)
        profiles.rename("plain", "other", path=office)
        profiles.set_default("other", path=office)
        profiles.remove("other", path=office)
        kept = [line for line in OFFICE.splitlines() if line and not line.startswith("default")]
        assert [line for line in office.read_text().splitlines() if line in kept] == kept

    def test_the_whole_text(self, office):
        before = profiles.content(office)
        profiles.replace_text("# new\n", before, path=office)
        assert office.read_text() == "# new\n"
        with pytest.raises(UsageError) as raised:
            profiles.replace_text("# newer\n", before, path=office)
        assert raised.value.code == "profiles-changed"
        with pytest.raises(ConfigError):
            profiles.replace_text("x = 1\n", b"# new\n", path=office)
        assert office.read_text() == "# new\n"


class TestNothingIsLost:
    def test_a_symbolic_link_stays_one(self, office, tmp_path):
        link = tmp_path / "link.toml"
        link.symlink_to(office)
        profiles.save(PLAIN, path=link)
        assert link.is_symlink()
        assert profiles.load(office).names == ("office", "home", "plain")

    def test_a_link_to_what_is_not_there_yet(self, file, tmp_path):
        link = tmp_path / "link.toml"
        link.symlink_to(file)
        assert profiles.load(link).profiles == ()
        profiles.save(PLAIN, path=link)
        assert profiles.load(file).names == ("plain",)

    def test_links_in_a_circle(self, tmp_path):
        link = tmp_path / "link.toml"
        link.symlink_to(link)
        with pytest.raises(UsageError, match="cannot be written"):
            profiles.save(PLAIN, path=link)

    def test_a_full_disk(self, office, monkeypatch):
        def full(*_arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="No space left on device"):
            profiles.save(PLAIN, path=office)
        assert office.read_text() == OFFICE
        assert list(office.parent.iterdir()) == [office]

    def test_a_folder_that_cannot_be_written(self, office, monkeypatch):
        real = os.open

        def refuse(path, flags, *more, **named):
            if flags & os.O_CREAT:
                raise PermissionError(13, "Permission denied")
            return real(path, flags, *more, **named)

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(UsageError) as raised:
            profiles.save(PLAIN, path=office)
        assert raised.value.code == "cannot-write"
        assert office.read_text() == OFFICE

    def test_two_savers_at_once(self, file):
        names = [f"p{each}" for each in range(12)]
        threads = [
            threading.Thread(
                target=profiles.save, args=(replace(PLAIN, name=name),), kwargs={"path": file}
            )
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(profiles.load(file).names) == sorted(names)
        assert list(file.parent.iterdir()) == [file]

    def test_two_programs_at_once(self, file, tmp_path):
        code = (
            "import sys; from netkit import profiles; from netkit.model import *\n"
            "for n in range(5):\n"
            "    profiles.save(Profile(name=f'{sys.argv[1]}{n}',"
            " tunnel=TunnelSpec(gateway=Gateway('gw'))))"
        )
        env = environment(tmp_path, NETKIT_PROFILES=str(file))
        children = [subprocess.Popen([sys.executable, "-c", code, name], env=env) for name in "ab"]
        assert [child.wait(60) for child in children] == [0, 0]
        assert sorted(profiles.load(file).names) == [f"{a}{n}" for a in "ab" for n in range(5)]


class TestIsThere:
    def test_or_not(self, file, office, tmp_path):
        assert profiles.is_there(office)
        assert not profiles.is_there(tmp_path / "absent/profiles.toml")
        assert not profiles.is_there(office / "profiles.toml")

    def test_what_cannot_be_looked_at_is_not_overlooked(self, tmp_path):
        link = tmp_path / "profiles.toml"
        link.symlink_to(link)
        assert profiles.is_there(link)
        with pytest.raises(UsageError, match="cannot be read"):
            profiles.load(link)

    def test_a_home_that_is_none(self, monkeypatch):
        monkeypatch.setenv(profiles.VARIABLE, "~nobody-of-that-name/profiles.toml")
        assert profiles.load().profiles == ()
