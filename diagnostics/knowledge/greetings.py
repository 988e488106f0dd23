"""Ports of protocols in which the server speaks first, so that silence there is a finding."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Greeting:
    """``protocol`` greets on ``port``, as ``source`` says."""

    port: int
    protocol: str
    source: str


GREETINGS = (
    Greeting(21, "FTP", "RFC 959 section 5.4, reply 220"),
    Greeting(22, "SSH", "RFC 4253 section 4.2, identification string"),
    Greeting(25, "SMTP", "RFC 5321 section 3.1, reply 220"),
    Greeting(110, "POP3", "RFC 1939 section 4, greeting"),
    Greeting(119, "NNTP", "RFC 3977 section 5.1, initial greeting"),
    Greeting(143, "IMAP", "RFC 9051 section 3, server greeting"),
    Greeting(587, "SMTP submission", "RFC 6409; RFC 5321 section 3.1, reply 220"),
    Greeting(3306, "MySQL", "MySQL client/server protocol, Protocol::Handshake"),
    Greeting(5900, "VNC", "RFC 6143 section 7.1.1, ProtocolVersion message"),
)


def greeting_on(port: int) -> Greeting | None:
    """Return what greets on ``port``; None where the client speaks first, or it is not known."""
    return next((each for each in GREETINGS if each.port == port), None)
