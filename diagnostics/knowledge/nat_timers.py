"""After how long middleboxes are known to forget an idle TCP connection.

Priors, never measurements: they name a suspect for a bracket that was measured, and tell what to
expect where nothing was.  Every entry has its source; what is only hearsay is not in here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timer:
    """One known timer.

    Attributes:
        name: what has it.
        seconds: after how many idle seconds an established connection is forgotten.
        ends: what the next packet meets: ``silence``, ``rst``; empty: not known.
        source: where that is written.
        platform: ``aws``, ``azure``, ``gcp`` where it is found there only.
    """

    name: str
    seconds: int
    ends: str
    source: str
    platform: str = ""


_AWS = "aws"
_AZURE = "azure"
_GCP = "gcp"

TIMERS = (
    Timer(
        "Azure Load Balancer or NAT gateway",
        240,
        "",
        "Azure documentation, load-balancer-tcp-reset (silent, or an RST if that is turned on)",
        _AZURE,
    ),
    Timer(
        "AWS NAT gateway",
        350,
        "rst",
        "Amazon VPC user guide, nat-gateway-troubleshooting and vpc-nat-comparison",
        _AWS,
    ),
    Timer(
        "AWS Network Load Balancer",
        350,
        "",
        "Elastic Load Balancing documentation, update-idle-timeout (default of TCP listeners)",
        _AWS,
    ),
    Timer(
        "AWS Network Firewall",
        350,
        "silence",
        "AWS Network Firewall API reference, FlowTimeouts (default)",
        _AWS,
    ),
    Timer(
        "EC2 security group tracking on Nitro v6 instances",
        350,
        "silence",
        "Amazon EC2 API reference, ConnectionTrackingConfiguration",
        _AWS,
    ),
    Timer(
        "Google Cloud VPC firewall",
        600,
        "silence",
        "Google Cloud documentation, as quoted in GitLab charts issue 2519",
        _GCP,
    ),
    Timer(
        "Google Cloud NAT",
        1200,
        "silence",
        "Google Cloud documentation, Cloud NAT timeouts (TCP established)",
        _GCP,
    ),
    Timer("FortiGate firewall", 3600, "", "FortiOS documentation, session-ttl (default)"),
    Timer(
        "HPE (H3C) router or firewall",
        3600,
        "",
        "HP MSR Router Series Security Command Reference (V7), session aging-time state (default)",
    ),
    Timer("OpenWrt router", 7440, "", "OpenWrt, sysctl-nf-conntrack.conf"),
    Timer("NAT that keeps to RFC 5382", 7440, "", "RFC 5382, REQ-5 (2 h 04 min at least)"),
    Timer("Cisco IOS NAT", 86400, "", "Cisco IOS documentation, ip nat translation tcp-timeout"),
    Timer(
        "Linux netfilter",
        432000,
        "",
        "Linux kernel documentation, nf_conntrack-sysctl, nf_conntrack_tcp_timeout_established",
    ),
)

PLATFORMS = {_AWS: "Amazon EC2", _AZURE: "Microsoft Azure", _GCP: "Google Compute Engine"}


def suspects(alive: float, dead: float, how: str) -> tuple[Timer, ...]:
    """Return the timers that run out after ``alive`` seconds and by ``dead``; 0: no such bound.

    Those that end a connection in another way than ``how`` are left out.
    """
    return tuple(
        timer
        for timer in TIMERS
        if dead and alive < timer.seconds <= dead and (not timer.ends or timer.ends == how)
    )


def expected_on(platform: str) -> tuple[Timer, ...]:
    """Return the timers of a cloud platform, the shortest first."""
    found = (timer for timer in TIMERS if platform and timer.platform == platform)
    return tuple(sorted(found, key=lambda timer: timer.seconds))
