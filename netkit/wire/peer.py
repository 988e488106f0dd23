"""What is known of SSH implementations, by their version line (RFC 4253 section 4.2).

Only facts that the protocol leaves open and that change what is right for users; each says where
it is from.  A peer that is not known gets the behaviour that is safe with everybody.
"""

from __future__ import annotations

import re

_SENDS_EOF = re.compile(r"-(OpenSSH_|dropbear_|netkit_|paramiko_|PuTTY_)")


def credits_early(version: str) -> bool:
    """Return whether the peer credits what it reads in small steps.

    OpenSSH does after three packets (channels.c, channel_check_window); others after half a window.
    """
    return "-OpenSSH_" in version


def sends_eof(version: str) -> bool:
    """Return whether the peer sends CHANNEL_EOF before CHANNEL_CLOSE whenever an end is clean.

    From these a CLOSE alone means that the data was cut off.  Servers in Go close without EOF as
    their normal end (gliderlabs/ssh), and asyncssh drops its EOF when the close follows at once.
    """
    return _SENDS_EOF.search(version) is not None
