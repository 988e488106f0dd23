"""Protocols that send datagrams, or use no transport that SSH carries; each with its source."""

from __future__ import annotations

from diagnostics.knowledge.protocol_types import SOCKS, Way, no_tcp, udp

DATAGRAMS = (
    udp("udp", "UDP", "SSH has channels for TCP and unix sockets, none for datagrams.", "RFC 4254"),
    udp(
        "dns",
        "DNS",
        "Resolvers ask over UDP first; every server has to answer over TCP too.",
        "RFC 7766 section 5",
        Way("netkit forward --bind 127.0.0.1:5353 --to DNS-SERVER:53 {gateway}"),
        Way("dig +tcp @127.0.0.1 -p 5353 NAME"),
        works=True,
        port=53,
    ),
    udp("dhcp bootp", "DHCP", "It uses UDP broadcasts.", "RFC 2131"),
    udp(
        "tftp",
        "TFTP",
        "It uses UDP, with a new port for each file.",
        "RFC 1350",
        Way("scp {gateway}:FILE .", "copies over SSH"),
    ),
    udp(
        "ntp",
        "NTP",
        "It uses UDP port 123, and a tunnel would spoil its timing.",
        "RFC 5905",
        Way("ssh {gateway} date -u", "shows the gateway's time"),
    ),
    udp(
        "snmp",
        "SNMP",
        "Agents listen on UDP port 161; few offer TCP.",
        "RFC 3417, RFC 3430",
        Way("ssh {gateway} snmpwalk -v2c -c COMMUNITY AGENT", "from the gateway"),
    ),
    udp(
        "syslog",
        "syslog",
        "The classic one uses UDP port 514; rsyslog and syslog-ng can use TCP.",
        "RFC 5426, RFC 6587",
        Way("netkit forward --bind 127.0.0.1:1514 --to LOGHOST:514 {gateway}"),
        Way("logger --tcp --server 127.0.0.1 --port 1514 TEXT"),
        works=True,
    ),
    udp(
        "radius",
        "RADIUS",
        "It uses UDP; over TCP it exists as RadSec (TLS, port 2083).",
        "RFC 2865, RFC 6614",
    ),
    udp(
        "kerberos krb5",
        "Kerberos",
        "Clients try UDP; each KDC has to accept TCP too.",
        "RFC 4120 section 7.2.2; krb5.conf(5)",
        Way("netkit forward --bind 127.0.0.1:1088 --to KDC:88 {gateway}"),
        Way("", "in krb5.conf: udp_preference_limit = 1, and kdc = tcp/127.0.0.1:1088"),
        works=True,
    ),
    udp(
        "sip voip",
        "SIP",
        "Phones signal over UDP mostly, and speech always takes UDP ports of its own (RTP), whose "
        "addresses are inside the messages.",
        "RFC 3261, RFC 3550, RFC 4566",
        port=5060,
    ),
    udp("rtp webrtc", "RTP and WebRTC", "Sound and pictures go over UDP.", "RFC 3550, RFC 8834"),
    udp(
        "rtsp",
        "RTSP",
        "The control connection passes, the pictures come over UDP unless the client asks for them "
        "inside it.",
        "RFC 7826 section 14",
        Way("netkit forward --bind 127.0.0.1:8554 --to CAMERA:554 {gateway}"),
        Way("ffplay -rtsp_transport tcp rtsp://127.0.0.1:8554/"),
        works=True,
        port=554,
    ),
    udp(
        "quic http3",
        "QUIC",
        "HTTP/3 runs over UDP; browsers fall back to HTTP/2 over TCP.",
        "RFC 9000, RFC 9114",
        SOCKS,
        works=True,
    ),
    udp("wireguard", "WireGuard", "It uses UDP alone.", "wireguard.com, Known Limitations"),
    udp(
        "openvpn",
        "OpenVPN",
        "It uses UDP unless both sides say proto tcp.",
        "openvpn(8), --proto",
        Way("netkit forward --bind 127.0.0.1:1194 --to SERVER:1194 {gateway}"),
        Way("openvpn --config FILE --proto tcp-client --remote 127.0.0.1 1194"),
        works=True,
    ),
    udp("ipsec ike", "IPsec", "IKE uses UDP 500 and 4500, the data are ESP packets.", "RFC 7296"),
    udp("l2tp", "L2TP", "It uses UDP port 1701, mostly inside IPsec.", "RFC 2661"),
    udp(
        "mosh",
        "mosh",
        "It logs in over SSH and goes on over UDP ports 60000 to 61000.",
        "mosh(1)",
        Way("ssh {gateway}"),
    ),
    udp("coap", "CoAP", "It uses UDP port 5683.", "RFC 7252"),
    udp("mdns bonjour", "mDNS", "It uses UDP multicast on one network.", "RFC 6762", SOCKS),
    udp("ssdp upnp dlna", "UPnP and DLNA", "Devices are found by UDP multicast.", "UPnP 2.0, 1"),
    udp("netbios", "NetBIOS names", "Names are looked up by UDP 137 and 138.", "RFC 1002", SOCKS),
    udp(
        "wol",
        "Wake-on-LAN",
        "It is a broadcast frame of one network.",
        "AMD, Magic Packet",
        Way("ssh {gateway} wakeonlan MAC-ADDRESS", "from the gateway, in its network"),
    ),
    udp("pcoip", "PCoIP", "The picture comes over UDP port 4172.", "Teradici, PCoIP port numbers"),
)

OTHERS = (
    no_tcp(
        "icmp ping traceroute",
        "ICMP",
        "ping and traceroute use no TCP.",
        "RFC 792",
        Way("ssh {gateway} ping -c 4 HOST", "from the gateway"),
    ),
    no_tcp("gre", "GRE", "It is an IP protocol of its own.", "RFC 2784"),
    no_tcp("pptp", "PPTP", "TCP 1723 is its control alone; the data are GRE.", "RFC 2637"),
    no_tcp("sctp", "SCTP", "It is an IP protocol of its own.", "RFC 9260"),
    no_tcp("multicast igmp", "Multicast", "TCP has one receiver.", "RFC 1112"),
)
