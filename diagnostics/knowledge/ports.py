"""Ports with a meaning of their own, and how each system hands out the others."""

from __future__ import annotations

Span = tuple[int, int]
"""A range of ports, both ends included."""

# Apple Developer Forums thread 682332: the AirPlay receiver of macOS 12 and later.
AIRPLAY = (5000, 7000)

# X(7): display n listens on 6000+n; 0..63 is what the fixed ports of X servers leave room for.
X11: Span = (6000, 6063)

# sshd_config(5): X11DisplayOffset is 10; channels.c of OpenSSH counts up from there and stops
# before display 1000 (MAX_DISPLAYS).
SSHD_X11: Span = (6010, 6999)

# Fetch Standard, "port blocking" (fetch.spec.whatwg.org/#port-blocking), as tested by
# fetch/api/request/request-bad-port.any.js of web-platform-tests; 0 is left out.
BROWSER_BLOCKED = frozenset(
    [
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161),
        *(179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563),
        *(587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060),
        *(5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    ]
)

# IANA: http, https, http-alt (591, 8008, 8080), pcsync-https (8443).  Defaults of programs: Rails
# (3000), Vite (5173), Django and Python's http.server (8000), Jupyter (8888), Cockpit (9090).
WEB = frozenset([80, 443, 591, 3000, 5173, 8000, 8008, 8080, 8081, 8088, 8443, 8888, 9090, 9443])

# ip-sysctl (Linux); Microsoft KB 929851 (Windows); Darwin's and FreeBSD's in_pcb.h.
EPHEMERAL: dict[str, Span] = {
    "linux": (32768, 60999),
    "windows": (49152, 65535),
    "darwin": (49152, 65535),
    "freebsd": (10000, 65535),
}

PRIVILEGED_BELOW = 1024
"""Below it only the administrator may bind (ip(7), "ip_unprivileged_port_start"; IPPORT_RESERVED
of the BSDs).  Windows has no such ports."""

WINDOWS_DYNAMIC_START = 49152
"""Where Windows hands out ports from, unless that was changed (Microsoft KB 929851)."""

HNS_BLOCK = 100
"""Ports in one block that Windows' Host Network Service takes (docker/for-win issue 3171)."""

LINUX_TIME_WAIT = 60
"""Seconds, fixed: TCP_TIMEWAIT_LEN in Linux' include/net/tcp.h."""
