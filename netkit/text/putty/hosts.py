"""Where a session leads to, and what its host keys are filed under."""

from __future__ import annotations

from netkit.text.putty.session import Session

SSH_PORT = 22


def host_and_user(session: Session) -> tuple[str, str]:
    """Return host and user of a session; either may be empty.

    As PuTTY does before it connects (utils/prepare_session.c): ``user@`` in front of the host goes
    before ``UserName``, blanks are dropped, and so is a ``:port`` behind a host without colons.
    """
    before, at, host = session.text("HostName").strip().rpartition("@")
    user = before.strip() if at and before.strip() else session.text("UserName").strip()
    host = "".join(host.split())
    if host.startswith("[") and "]" in host:
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return host, user


def key_place(session: Session) -> tuple[str, int]:
    """Return the host and port under which PuTTY files the gateway's key.

    ``LogHost`` stands for the host, with port 22 unless it names another (ssh/ssh.c).
    """
    logical = session.text("LogHost").strip()
    if not logical:
        return host_and_user(session)[0], session.number("PortNumber", SSH_PORT)
    host, colon, port = logical.rpartition(":")
    if colon and port.isdecimal() and len(port) < 6 and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return logical.strip("[]"), SSH_PORT
