"""known_hosts: damaged lines are told as netkit's own reader skips them, and nothing raises."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.parsers import known_hosts
from diagnostics.parsers.known_hosts import Contents, Damage, Entry, lookup_name, parse
from diagnostics.parsers.public_keys import fingerprint
from netkit.text import known_hosts as reference

BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"


def test_lines_about_the_host():
    text = f"""# comment

other {KEY}
gw.example,192.0.2.7 {KEY} comment
@revoked *.example {KEY}
@cert-authority\t*,!gw.example\t{KEY}
g?.ex*le {KEY}
?x,z*,g?.ex*lx {KEY}
"""
    found = parse(text.encode(), "gw.example")
    print_ = fingerprint(BLOB)
    assert found.entries == (
        Entry(4, "", "ssh-ed25519", print_),
        Entry(5, "@revoked", "ssh-ed25519", print_),
        Entry(7, "", "ssh-ed25519", print_),
    )
    assert (found.damaged, found.truncated) == (0, False)


def test_hashed_names(tmp_path: Path):
    file = tmp_path / "known_hosts"
    file.write_text(f"[gw.example]:2222 {KEY}\nother {KEY}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    found = parse(file.read_bytes(), lookup_name("GW.example", 2222))
    assert [entry.number for entry in found.entries] == [1]
    assert lookup_name("gw", 22) == "gw"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"@odd gw {KEY}", "unknown marker"),
        ("gw ssh-ed25519", "host names, key type and key are expected"),
        ("@revoked", "host names, key type and key are expected"),
        ("gw ssh-ed25519 ****", "the key is not base64"),
        ("gw ssh-ed25519 AAA", "the key is not base64"),
        ("gw ssh-ed25519 AAAA", "the key is damaged, or of another type than the line says"),
        (KEY.replace("ssh", "gw ssh").replace("25519 ", "25519x "), "the key is damaged, or of "),
        (f"|1|AAAA|AAAA {KEY}", "the hashed host name is damaged"),
        (f"|1|%|% {KEY}", "the hashed host name is damaged"),
        (f"|2|AAAA {KEY}", "the hashed host name is damaged"),
        (f"gw {'A' * (known_hosts.MAX_LINE + 1)}", "longer than 65536 characters"),
        ("gw" + "A" * 5 * known_hosts.MAX_LINE, "longer than 65536 characters"),
    ],
)
def test_damage(line: str, reason: str):
    found = parse(f"ok {KEY}\n{line}\n".encode(), "gw")
    assert found.damaged == 1
    assert found.damage[0].number == 2
    assert found.damage[0].reason.startswith(reason)
    assert len(found.damage[0].hosts) <= 60


def test_damage_that_names_the_host_is_kept_however_far_down():
    text = "x\n" * 500 + "gw ssh-ed25519 %%\ngw ssh-ed25519 %%\n"
    found = parse(text.encode(), "gw")
    assert found.damaged == 502
    assert len(found.damage) == known_hosts.MAX_KEPT + 1
    assert found.damage[-1] == Damage(501, "the key is not base64", "gw", here=True)


def test_the_key_under_other_names():
    text = f"old,192.0.2.7 {KEY}\n|1|AAAA|{'A' * 27}= {KEY}\ngw {KEY}\n@revoked x {KEY}\n"
    found = parse(text.encode(), "gw", fingerprint(BLOB))
    assert found.others == ((1, "old,192.0.2.7"), (2, "|"))
    assert [entry.number for entry in found.entries] == [3]
    assert parse(text.encode(), "gw", "SHA256:x").others == ()
    many = parse(f"old {KEY}\n".encode() * 60, "gw", fingerprint(BLOB))
    assert len(many.others) == known_hosts.MAX_KEPT


def test_leftovers_of_protocol_1_are_no_damage():
    assert parse(b"gw 1024 35 1234567\n", "gw") == Contents()


def test_bounds(monkeypatch: pytest.MonkeyPatch):
    assert len(parse(f"gw {KEY}\n".encode() * 60, "gw").entries) == known_hosts.MAX_KEPT
    monkeypatch.setattr(known_hosts, "MAX_LINES", 2)
    assert parse(b"#\n#\n#\n", "gw").truncated
    monkeypatch.setattr(known_hosts, "MAX_FILE", 3)
    assert parse(b"#\n#\n", "gw").truncated


JUNK = st.binary(max_size=400) | st.lists(
    st.sampled_from(
        [b"gw ", b"@revoked ", b"|1|", b"AAAA", b"\n", b"\t", b"\0", b"1024 ", b"\r\n", b" ", b"*",
         b"!", b",", b"#", b"ssh-ed25519 ", KEY.encode(), b"\xff"]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@given(JUNK)
def test_as_netkit_reads_it(data: bytes):
    found = parse(data, "gw")
    read = reference.parse_known_hosts(data)
    protocol_1 = [bad for bad in read.bad_lines if "protocol 1" in bad.reason]
    assert found.damaged == len(read.bad_lines) - len(protocol_1)
    kept = {each.number for each in found.damage}
    assert kept <= {bad.line for bad in read.bad_lines}
    about = [entry.line for entry in read.entries if entry.applies_to("gw")]
    assert [entry.number for entry in found.entries] == about


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * (3 << 20),
        b"*a*b*c,?" * 400_000,
        b"\n" * 3_000_000,
        b"*x,*y " + b"a,*b" * 700_000,
        (b"*a*e*x," * 500 + b" k AAAA\n") * 1100,
    ],
    ids=["zeros", "patterns", "lines", "one line", "stars"],
)
def test_megabytes(data: bytes):
    assert parse(data, "gateway.example").damaged <= known_hosts.MAX_LINES
