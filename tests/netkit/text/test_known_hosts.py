"""known_hosts in full, against ssh-keygen -F and -H."""

from __future__ import annotations

import base64
import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.model import Hop
from netkit.text.known_hosts import (
    MAX_FILE,
    MAX_LINE,
    Marker,
    Verdict,
    combine,
    format_line,
    hop_lookup,
    lookup_name,
    parse_known_hosts,
)
from support import peers


def blob(fill: str, kind: str = "ssh-ed25519") -> bytes:
    name = kind.encode()
    return struct.pack(">I", len(name)) + name + struct.pack(">I", 32) + fill.encode() * 32


A, B, C = blob("a"), blob("b"), blob("c")
RSA = blob("r", "ssh-rsa")


def entry(hosts: str, key: bytes, marker: str = "") -> str:
    kind = key[4 : 4 + key[3]].decode()
    return f"{marker} {hosts} {kind} {base64.b64encode(key).decode()} comment".strip()


def known(*lines: str):
    return parse_known_hosts("\n".join(lines))


@pytest.mark.parametrize(
    ("hosts", "name", "port", "verdict"),
    [
        ("gw", "gw", 22, Verdict.MATCH),
        ("GW", "gw", 22, Verdict.MATCH),
        ("gw", "Gw", 22, Verdict.MATCH),
        ("gw", "other", 22, Verdict.UNKNOWN),
        ("other,gw", "gw", 22, Verdict.MATCH),
        ("*.corp", "gw.corp", 22, Verdict.MATCH),
        ("*.corp", "corp", 22, Verdict.UNKNOWN),
        ("*.corp,!bad.corp", "bad.corp", 22, Verdict.UNKNOWN),
        ("*.corp,!bad.corp", "good.corp", 22, Verdict.MATCH),
        ("10.0.0.?", "10.0.0.7", 22, Verdict.MATCH),
        ("[gw]:2222", "gw", 2222, Verdict.MATCH),
        ("[gw]:2222", "gw", 22, Verdict.UNKNOWN),
        ("[gw]:2222", "gw", 2223, Verdict.UNKNOWN),
        ("[*]:2222", "gw", 2222, Verdict.MATCH),
        ("[::1]:2222", "::1", 2222, Verdict.MATCH),
        ("::1", "::1", 22, Verdict.MATCH),
    ],
)
def test_names(hosts: str, name: str, port: int, verdict: Verdict):
    assert known(entry(hosts, A)).match(name, port).verdict(A).verdict is verdict


def test_key_known_at_port_22_is_good_for_other_ports():
    hosts = known(entry("gw", A))
    assert hosts.match("gw", 2222).verdict(A).verdict is Verdict.MATCH
    # Another key there is no change: nothing is known about that port.
    assert hosts.match("gw", 2222).verdict(B).verdict is Verdict.UNKNOWN
    assert hosts.match("gw", 2222).key_types == ("ssh-ed25519",)
    both = known(entry("gw", A), entry("[gw]:2222", B))
    assert both.match("gw", 2222).verdict(A).verdict is Verdict.CHANGED


def test_changed_names_the_line():
    judgement = known("# comment", entry("gw", RSA), entry("gw", A)).match("gw").verdict(B)
    assert judgement.verdict is Verdict.CHANGED
    assert str(judgement.entry) == "known_hosts:3"


def test_another_type_is_a_change_too():
    judgement = known(entry("gw", RSA)).match("gw").verdict(A)
    assert judgement.verdict is Verdict.CHANGED
    assert judgement.entry is not None
    assert judgement.entry.key_type == "ssh-rsa"


def test_any_of_several_keys_matches():
    hosts = known(entry("gw", A), entry("gw", B)).match("gw")
    assert hosts.verdict(A).verdict is Verdict.MATCH
    assert hosts.verdict(B).verdict is Verdict.MATCH


def test_revoked_goes_before_match():
    hosts = known(entry("gw", A), entry("*", A, "@revoked")).match("gw")
    judgement = hosts.verdict(A)
    assert judgement.verdict is Verdict.REVOKED
    assert judgement.entry is not None
    assert judgement.entry.line == 2
    assert hosts.is_revoked(B) is None
    assert known(entry("*", A, "@revoked")).match("gw").verdict(A).verdict is Verdict.REVOKED


def test_revoked_at_port_22_is_revoked_on_every_port():
    assert known(entry("gw", A, "@revoked")).match("gw", 22).verdict(A).verdict is Verdict.REVOKED
    hosts = known(entry("gw", A, "@revoked")).match("gw", 2222)
    assert hosts.verdict(A).verdict is Verdict.REVOKED


def test_authorities_are_no_plain_keys():
    hosts = known(entry("*.corp", C, "@cert-authority"), entry("gw.corp", A)).match("gw.corp")
    assert [each.key for each in hosts.authorities] == [C]
    assert hosts.verdict(C).verdict is Verdict.CHANGED
    assert hosts.key_types == ("ssh-ed25519",)
    only = known(entry("*.corp", C, "@cert-authority")).match("gw.corp", 2222)
    assert only.verdict(C).verdict is Verdict.UNKNOWN
    assert [each.key for each in only.authorities] == [C]
    assert only.key_types == ()


def test_key_types_in_order_and_once():
    hosts = known(entry("gw", RSA), entry("gw", A), entry("gw", B), entry("other", C))
    assert hosts.match("gw").key_types == ("ssh-rsa", "ssh-ed25519")


def test_address_counts_when_given():
    hosts = known(entry("192.0.2.1", A))
    assert hosts.match("gw", 22).verdict(A).verdict is Verdict.UNKNOWN
    assert hosts.match("gw", 22, "192.0.2.1").verdict(A).verdict is Verdict.MATCH


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gw", "expected"),
        ("gw ssh-ed25519", "expected"),
        ("gw ssh-ed25519 !!!", "base64"),
        ("gw ssh-ed25519 AAAA", "damaged"),
        (entry("gw", A).replace("ssh-ed25519", "ssh-rsa"), "another type"),
        ("gw 1024 35 1234567", "protocol 1"),
        (entry("gw", A, "@trusted"), "unknown marker"),
        ("@revoked", "expected"),
        (entry("|1|x|y", A), "hashed"),
        (entry("|2|AAAA|AAAA", A), "hashed"),
        (entry("|1|AAAA|AAAA", A), "hashed"),
        ("x" * (MAX_LINE + 1), "longer"),
    ],
)
def test_bad_line_is_reported_and_hides_nothing(line: str, reason: str):
    hosts = known(entry("gw", A), line, entry("gw", B))
    assert [each.line for each in hosts.entries] == [1, 3]
    (bad,) = hosts.bad_lines
    assert bad.line == 2
    assert reason in bad.reason
    assert str(bad).startswith("known_hosts:2: ")


def test_layout_is_free():
    kind, key = entry("gw", A).split()[1:3]
    hosts = known("", "  # c", f"\t gw   {kind}\t{key}\r", "#gw x")
    assert [each.marker for each in hosts.entries] == [Marker.NONE]
    assert hosts.bad_lines == ()
    assert hosts.match("gw").verdict(A).verdict is Verdict.MATCH


def test_file_size_is_bounded():
    with pytest.raises(ConfigError, match="too large"):
        parse_known_hosts(b"x" * (MAX_FILE + 1), "big")


def test_not_utf8():
    hosts = parse_known_hosts(entry("gw", A).encode() + b" \xff\xfe\n" + entry("h", B).encode())
    assert len(hosts.entries) == 2


@given(st.binary(max_size=300) | st.text("|1@gw ,*?!#=AbQ\t\r\n", max_size=200), st.text())
def test_anything_parses_and_matches(content: bytes | str, name: str):
    hosts = parse_known_hosts(content)
    hosts.match(name, 2222, name).verdict(A)
    assert len(hosts.bad_lines) <= 1000


@given(
    st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9.-]{0,20}", fullmatch=True) | st.just("::1"),
    st.integers(1, 65535),
    st.none() | st.binary(min_size=20, max_size=20),
)
def test_written_line_is_found_again(name: str, port: int, salt: bytes | None):
    hosts = parse_known_hosts(format_line(name, port, A, salt=salt))
    assert hosts.match(name.upper(), port).verdict(A).verdict is Verdict.MATCH
    assert hosts.match(name + "x", port).verdict(A).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("name", ["", "a b", "a,b", "*", "!a", "a\nb", "|1|x", "#a"])
def test_names_that_cannot_be_written(name: str):
    with pytest.raises(ValueError, match="cannot stand"):
        format_line(name, 22, A)


def test_key_without_type_cannot_be_written():
    with pytest.raises(ValueError, match="type"):
        format_line("gw", 22, b"junk")


def test_comment_stays_on_its_line():
    assert format_line("gw", 22, A, comment="a\nb").endswith(" a b")


def test_hops_are_looked_up_by_alias_without_port():
    assert hop_lookup(Hop(alias="x", host="gw", port=2222, name="gw")) == ("gw", 2222)
    assert hop_lookup(Hop(alias="x", host="gw", port=2222)) == ("gw", 2222)
    aliased = Hop(alias="x", host="gw", port=2222, name="stable")
    assert hop_lookup(aliased) == ("stable", 22)
    assert known(entry("stable", A)).match_hop(aliased).verdict(A).verdict is Verdict.MATCH


def test_combine_keeps_the_order():
    parts = [parse_known_hosts(entry("gw", A), "one"), parse_known_hosts("bad\n", "two")]
    whole = combine(parts)
    assert [each.file for each in whole.entries] == ["one"]
    assert [each.file for each in whole.bad_lines] == ["two"]


FILE = "\n".join(
    [
        entry("plain.example,192.0.2.9", A),
        entry("*.wild.example,!not.wild.example", B),
        entry("[ported.example]:2222", C),
        entry("Mixed.Example", RSA),
        entry("ca.example", C, "@cert-authority"),
        entry("revoked.example", C, "@revoked"),
    ]
)


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("plain.example", 22),
        ("192.0.2.9", 22),
        ("a.wild.example", 22),
        ("not.wild.example", 22),
        ("ported.example", 2222),
        ("ported.example", 22),
        ("mixed.example", 22),
        ("ca.example", 22),
        ("revoked.example", 22),
        ("nowhere.example", 22),
    ],
)
def test_finds_what_ssh_keygen_finds(tmp_path: Path, name: str, port: int, hashed: bool):
    keygen = peers.require("ssh-keygen")
    path = tmp_path / "known_hosts"
    path.write_text(FILE + "\n")
    if hashed:
        subprocess.run([keygen, "-q", "-H", "-f", path], check=True, capture_output=True)
        assert "|1|" in path.read_text()
    found = subprocess.run(
        [keygen, "-F", lookup_name(name, port), "-f", path],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    theirs = {int(line) for line in re.findall(r"^# Host .* line (\d+)", found, re.MULTILINE)}
    ours = parse_known_hosts(path.read_bytes())
    assert {each.line for each in ours.match(name, port).entries} == theirs
