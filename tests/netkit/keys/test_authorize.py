"""The line for authorized_keys, its options, and what an answer of a gateway means."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.errors import UsageError
from netkit.keys.authorize import MARK, Answer, Wanted, read_answer, restriction, script
from netkit.text.authorized_keys import parse_authorized_keys
from netkit.text.public_keys import find_keys

BLOB = base64.b64decode("AAAAC3NzaC1lZDI1NTE5AAAAIJ0Hm1hrPHSkwKFhTQlmzlzIgSFYgvcFiWmT2tPq5OQm")
SSHD = "SSH-2.0-OpenSSH_9.2p1 Debian-2"


@given(comment=st.text(max_size=60))
def test_the_line_is_one_line_with_the_key_in_it(comment):
    line = Wanted(blob=BLOB, comment=comment, options='restrict,command="x y"').line
    assert line.isprintable()
    (entry,) = find_keys(line)
    assert (entry.blob, entry.before) == (BLOB, 'restrict,command="x y"')


@pytest.mark.parametrize(
    ("server", "start"),
    [
        (SSHD, "restrict,port-forwarding,"),
        ("SSH-2.0-OpenSSH_7.2", "restrict,port-forwarding,"),
        ("SSH-2.0-OpenSSH_7.1p2", "no-pty,no-agent-forwarding,no-X11-forwarding,no-user-rc,"),
        ("SSH-2.0-OpenSSH_6.6", "no-pty,no-agent-forwarding,no-X11-forwarding,no-user-rc,"),
        ("SSH-2.0-dropbear_2022.83", "no-pty,no-agent-forwarding,no-X11-forwarding,"),
        ("SSH-2.0-OpenSSH_for_Windows_9.5", "restrict,port-forwarding,"),
        ("SSH-2.0-somebody", "restrict,port-forwarding,"),
        ("", "restrict,port-forwarding,"),
    ],
)
def test_restrictions_in_the_words_of_the_server(server, start):
    options = restriction(server, ["db.internal:5432", "[::1]:22", "10.0.0.5:*"], [])
    assert options == (
        f'{start}permitopen="db.internal:5432",permitopen="[::1]:22",permitopen="10.0.0.5:*",'
        'command="exit 1"'
    )


def test_a_restricted_key_at_netkits_own_gateway():
    options = restriction(SSHD, ["db:5432"], ["8080", "127.0.0.1:9"])
    ((key,), problems) = parse_authorized_keys([Wanted(blob=BLOB, options=options).line])
    assert problems == ()
    assert key.forwarding
    assert [str(rule) for rule in key.permit_open or ()] == ["db:5432"]
    assert len(key.permit_listen or ()) == 2


@pytest.mark.parametrize("server", ["SSH-2.0-dropbear_2022.83", "SSH-2.0-OpenSSH_7.7"])
def test_servers_that_cannot_limit_listening(server):
    with pytest.raises(UsageError) as caught:
        restriction(server, [], ["8080"])
    assert caught.value.code == "no-permitlisten"


@pytest.mark.parametrize(
    "rule",
    ["", "host", "host:", ":5", "host:99999", 'a"b:5', "a b:5", "host:5,x", "host:x", "a\n:5"],
)
def test_rules_that_are_none(rule):
    with pytest.raises(UsageError):
        restriction(SSHD, [rule], [])
    if rule != "host:":
        with pytest.raises(UsageError):
            restriction(SSHD, [], [rule])


def test_a_line_that_sshd_would_not_read():
    wanted = Wanted(blob=BLOB, options="x" * 9000)
    with pytest.raises(UsageError) as caught:
        script(wanted, SSHD)
    assert caught.value.code == "line-too-long"


@given(comment=st.text(max_size=30), file=st.text(max_size=30))
def test_data_cannot_leave_its_quotes(comment, file):
    """What the shell makes of the settings is what was put in."""
    import shlex

    content = script(Wanted(blob=BLOB, comment=comment, file=file), SSHD).decode(
        "utf-8", "surrogateescape"
    )
    start = content.index("\nserver=") + 1
    words = shlex.split(content[start : content.index('\n  if [ -n "$given" ]')])
    assert f"given={file.removeprefix('~/')}" in words
    assert f"line={Wanted(blob=BLOB, comment=comment).line}" in words


def answer(*lines: str) -> Answer:
    return read_answer("".join(f"{MARK}{line}\n" for line in lines).encode())


def test_answers():
    found = answer("reads a b", "file /h/a", "repaired /h drwxrwxrwx", "added", "end")
    assert found == Answer(outcome="added", file="/h/a", read="a b", repaired=("/h drwxrwxrwx",))
    assert answer("file /h/a", "options restrict", "present", "end").options == "restrict"
    failed = answer("file /h/a", "failed not-ours /h/a b")
    assert (failed.outcome, failed.reason, failed.about) == ("failed", "not-ours", "/h/a b")
    assert "another account" in failed.why
    assert answer("failed odd").why == "odd"


@pytest.mark.parametrize(
    ("types", "kind", "takes"),
    [
        ("", "ssh-ed25519", True),
        ("ssh-ed25519,rsa-sha2-512", "ssh-ed25519", True),
        ("ssh-ed25519,rsa-sha2-512", "ssh-rsa", True),
        ("ssh-ed25519,ssh-rsa", "ssh-rsa", False),
        ("rsa-sha2-512", "ssh-ed25519", False),
        ("+ssh-rsa", "ssh-ed25519", True),
        ("-ssh-rsa", "ssh-ed25519", True),
        ("ecdsa-*", "ssh-ed25519", True),
    ],
)
def test_types_that_a_gateway_takes(types, kind, takes):
    assert Answer(types=types).takes(kind) is takes
    assert answer("added", f"types {types}", "end").types == types


def test_an_answer_that_was_cut_off_is_no_success():
    found = answer("file /h/a", "added")
    assert (found.outcome, found.reason) == ("failed", "cut-off")


def test_what_a_shell_says_before_is_passed_over():
    assert read_answer(b"Welcome!\nnetkit: added\n") == Answer()
    assert read_answer(b"hi\n" + MARK.encode() + b"updated\nnetkit-key: end\n").outcome == "updated"


@given(st.binary(max_size=300))
def test_any_answer_is_read(data):
    assert read_answer(data).outcome in ("", "failed", "added", "present", "updated")
    for text in (*read_answer(MARK.encode() + data).repaired, read_answer(data).file):
        assert text.isprintable()
