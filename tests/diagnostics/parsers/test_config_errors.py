"""The place of an ssh_config error, from the words of ssh itself and of netkit's reader."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers.config_errors import MAX_PLACES, Place, places
from netkit.environment import read_environment
from netkit.errors import ConfigError
from netkit.model import Gateway, TunnelSpec
from support.peers import require

FAULTS = {
    "Host *\n  Foo bar\n": 2,
    "Port abc\n": 1,
    "Host *\n\n HostName\n": 3,
    'IdentityFile "abc\n': 1,
    "Host gw\n  Ciphers 3des-nonsense\n": 2,
    "Host\0gw\n": 1,
}


@pytest.mark.parametrize("text", FAULTS)
def test_the_words_of_ssh(tmp_path: Path, text: str):
    config = tmp_path / "my config"
    config.write_text(text)
    ssh = str(require("ssh"))
    done = subprocess.run(
        [ssh, "-G", "-F", str(config), "gw"], check=False, capture_output=True, text=True
    )
    place = places(done.stderr)[0]
    assert (place.file, place.line) == (str(config), FAULTS[text])
    assert place.what


@pytest.mark.parametrize("text", [text for text in FAULTS if "Ciphers" not in text])
@pytest.mark.parametrize("ssh", [None, "none"])
def test_the_words_of_netkit(tmp_path: Path, text: str, ssh: str | None):
    config = tmp_path / "config"
    config.write_text(text)
    with pytest.raises(ConfigError) as failure:
        read_environment(TunnelSpec(gateway=Gateway("gw"), config_file=config), ssh=ssh)
    place = places(f"{failure.value.summary}; {failure.value.cause}")[0]
    assert (place.file, place.line) == (str(config), FAULTS[text])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("C:\\Users\\me\\.ssh\\config line 7: Bad port", ("C:\\Users\\me\\.ssh\\config", 7)),
        ("Bad owner or permissions on /home/me/.ssh/config", ("/home/me/.ssh/config", 0)),
        ("Can't open user config file /x y: No such file", ("/x y", 0)),
        ("/x cannot be read: Permission denied", ("/x", 0)),
        ("/x can be changed by others", ("/x", 0)),
        ("/x is longer than 1 MiB", ("/x", 0)),
        ("/x is no regular file", ("/x", 0)),
    ],
)
def test_files_as_a_whole(text: str, place: tuple[str, int]):
    (found,) = places(f"ssh rejects the configuration: {text}")
    assert (found.file, found.line) == place
    assert str(found) == (f"{place[0]}:{place[1]}" if place[1] else place[0])


def test_what_names_no_place():
    assert places("Missing Match criteria for foo\r\n/c: terminating, 1 bad options") == ()


def test_bounds():
    assert len(places("/c line 1: x\n" * 100)) == MAX_PLACES
    assert places("/c line 1: \x1b[31m" + "x" * 9000)[0] == Place(
        "/c", 1, "?[31m" + "x" * 194 + "…"
    )


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([" line ", "1", ":", ": ", "; ", "/c", "\n", "x", "cannot be read"]))
    .map("".join)
)  # fmt: skip
def test_total(text: str):
    for place in places(text):
        assert place.file.isprintable()
        assert place.what.isprintable()
