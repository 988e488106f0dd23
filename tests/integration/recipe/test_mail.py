"""Mail through a tunnel: a POP3 server behind the gateway, fetched by an ordinary client."""

from __future__ import annotations

import poplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.forwarding import netkit_forward
from support.services import Dovecot
from support.tunnels import TestGateway

MAILS = [
    b"From: carroll@example.org\r\nSubject: %d\r\n\r\n%s\r\n"
    % (number, b"x" * 60 + b"\r\n" + b"y\r\n" * 1000 * size)
    for number, size in enumerate((0, 1, 40))
]


@pytest.fixture
def mail() -> Iterator[Dovecot]:
    with Dovecot(MAILS) as running:
        yield running


def test_pop3_by_the_command_that_protocols_names(mail: Dovecot, tmp_path: Path, sshd: TestGateway):
    """`netkit protocols pop3`: one forward, and the client is told of its address."""
    words = ("--bind", "127.0.0.1:0", "--to", f"127.0.0.1:{mail.port}")
    with netkit_forward(sshd, *words, home=tmp_path) as tunnel:
        client = poplib.POP3("127.0.0.1", tunnel.port, timeout=20)
        client.user(mail.user)
        client.pass_(mail.password)
        count, size = client.stat()
        assert (count, size) == (len(MAILS), sum(map(len, MAILS)))
        fetched = [b"\r\n".join(client.retr(number + 1)[1]) + b"\r\n" for number in range(count)]
        assert sorted(fetched) == sorted(MAILS)
        client.dele(1)
        client.quit()
        again = poplib.POP3("127.0.0.1", tunnel.port, timeout=20)
        again.user(mail.user)
        again.pass_(mail.password)
        assert again.stat()[0] == len(MAILS) - 1
        again.quit()
        assert tunnel.stop() == 0


def test_a_wrong_password_is_the_servers_to_refuse(
    mail: Dovecot, tmp_path: Path, sshd: TestGateway
):
    with netkit_forward(sshd, "-L", f"0:127.0.0.1:{mail.port}", home=tmp_path) as tunnel:
        client = poplib.POP3("127.0.0.1", tunnel.port, timeout=20)
        client.user(mail.user)
        with pytest.raises(poplib.error_proto, match="AUTH"):
            client.pass_("rabbit")
        client.close()
