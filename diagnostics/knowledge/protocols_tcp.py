"""Protocols over TCP: those that need more than one connection to one port, and those that do not.

Each has its source.
"""

from __future__ import annotations

from diagnostics.knowledge.protocol_types import (
    SOCKS,
    Passes,
    Protocol,
    Way,
    more,
    redirects,
    yes,
)

SEVERAL = (
    more(
        "ftp ftps",
        "FTP",
        "Each file takes a second connection to a port that the server names in an answer, and in "
        "active mode the server connects back to the client.",
        "RFC 959 sections 3.2 and 4.1.2, RFC 2428",
        Way("sftp {gateway}", "where the files are on the gateway"),
        SOCKS,
        Way("curl --proxy socks5h://127.0.0.1:1080 ftp://SERVER/", "passive FTP through it"),
        works=True,
        ports=(21,),
    ),
    more(
        "dcom wmi msrpc rpc",
        "DCOM and MSRPC",
        "Port 135 only says at which port from 49152 on the service is, and the client connects to "
        "the address in the answer.",
        "MS-RPCE, MS-DCOM; Microsoft, service overview and network port requirements",
        Way("netkit forward --bind 127.0.0.1:15985 --to SERVER:5985 {gateway}"),
        Way("winrs -r:http://127.0.0.1:15985 COMMAND", "WinRM needs one port"),
        ports=(135,),
    ),
    more(
        "nfs",
        "NFS",
        "Version 3 asks the port mapper for two further ports; version 4 has the one port 2049.",
        "RFC 1813, RFC 1833, RFC 7530 section 3.1",
        Way("netkit forward --bind 127.0.0.1:12049 --to SERVER:2049 {gateway}"),
        Way("sudo mount -t nfs4 -o port=12049 127.0.0.1:/EXPORT /mnt"),
        works=True,
        ports=(111,),
    ),
    more(
        "rsh rcp rlogin",
        "rsh",
        "The server connects back for the error output, from a port below 1024.",
        "rcmd(3)",
        Way("ssh {gateway}"),
    ),
    more(
        "h323",
        "H.323",
        "Calls use TCP 1720, a further TCP port and UDP.",
        "ITU-T H.323",
        ports=(1720,),
    ),
    more("dcc", "IRC DCC", "The other person's client connects to yours.", "IRC DCC", SOCKS),
    more(
        "bittorrent",
        "BitTorrent",
        "It connects to many peers, over UDP too.",
        "BEP 3, BEP 29",
        SOCKS,
    ),
    more(
        "jmx rmi",
        "JMX and Java RMI",
        "The registry names a second port and the address of the server.",
        "Oracle, Monitoring and Management Using JMX Technology",
        Way(
            "",
            "start the server with -Dcom.sun.management.jmxremote.rmi.port= the same port and "
            "-Djava.rmi.server.hostname=127.0.0.1, and forward that port to itself",
        ),
        works=True,
        ports=(1099,),
    ),
)

REDIRECTS = (
    redirects(
        "mongodb",
        "MongoDB",
        "The driver asks for the members of the replica set and connects to their own names.",
        "MongoDB manual, connection string options",
        Way("netkit forward --bind 127.0.0.1:27018 --to SERVER:27017 {gateway}"),
        Way("mongosh mongodb://127.0.0.1:27018/?directConnection=true"),
        ports=(27017,),
    ),
    redirects(
        "kafka",
        "Kafka",
        "Brokers answer with their advertised.listeners, where clients go next.",
        "Kafka documentation, advertised.listeners",
        ports=(9092,),
    ),
    redirects(
        "redis-cluster",
        "Redis Cluster",
        "A MOVED answer names another node by its address.",
        "Redis cluster specification",
    ),
    redirects(
        "cassandra",
        "Cassandra",
        "Drivers connect to every node, at the addresses it names.",
        "Apache Cassandra, broadcast_rpc_address",
        ports=(9042,),
    ),
    redirects(
        "oracle sqlnet tns",
        "Oracle Net",
        "A listener may redirect to another address and port.",
        "Oracle Net Services, redirect session",
        ports=(1521,),
    ),
    redirects(
        "iscsi",
        "iSCSI",
        "Discovery answers with the portal addresses of the target.",
        "RFC 7143 appendix C",
        ports=(3260,),
    ),
    redirects(
        "mssql sqlserver",
        "SQL Server",
        "One connection does, but a named instance is looked up over UDP 1434.",
        "MS-SQLR; Microsoft, SQL Server Browser service",
        Way("netkit forward --bind 127.0.0.1:11433 --to SERVER:1433 {gateway}"),
        Way("sqlcmd -S tcp:127.0.0.1,11433", "by port, without the name of the instance"),
    ),
)

FIXED = (
    Protocol(
        names=("smb", "cifs"),
        title="SMB",
        passes=Passes.FIXED_PORT,
        why="Windows takes port 445 for every share, and its own server has that port. Since "
        "Windows 11 24H2 and Server 2025 the client takes another.",
        source="Microsoft, Configure alternative SMB ports",
        ways=(
            Way("netkit forward --bind 127.0.0.2:1445 --to SERVER:445 {gateway}"),
            Way(r"net use Z: \\127.0.0.2\SHARE /TCPPORT:1445", "Windows 11 24H2 and later"),
            Way("sftp {gateway}", "older Windows"),
        ),
        ports=(445,),
        works=True,
        systems=("windows",),
        elsewhere=(
            Way("netkit forward --bind 127.0.0.1:1445 --to SERVER:445 {gateway}"),
            Way("smbclient -p 1445 //127.0.0.1/SHARE"),
        ),
    ),
)

PLAIN = (
    yes("ssh scp sftp rsync git", "SSH", 22, "RFC 4253"),
    yes("telnet", "Telnet", 23, "RFC 854"),
    yes("smtp", "SMTP", 25, "RFC 5321"),
    yes(
        "http",
        "HTTP",
        80,
        "RFC 9110",
        "It passes; servers with several sites want their own name in the Host field (curl "
        "--connect-to SERVER:80:127.0.0.1:10080 http://SERVER/).",
    ),
    yes(
        "https tls",
        "HTTPS",
        443,
        "RFC 9110 section 4.3.4",
        "It passes; the certificate names the server and not localhost (curl --connect-to "
        "SERVER:443:127.0.0.1:10443 https://SERVER/).",
    ),
    yes("pop3", "POP3", 110, "RFC 1939"),
    yes("imap", "IMAP", 143, "RFC 9051"),
    yes("ldap", "LDAP", 389, "RFC 4511", "It passes; referrals name other servers."),
    yes("ipp cups", "IPP", 631, "RFC 8010"),
    yes(
        "mysql mariadb",
        "MySQL",
        3306,
        "MySQL manual, connection options",
        "It passes; the client has to be told 127.0.0.1, since localhost is a unix socket to it.",
    ),
    yes("postgresql postgres", "PostgreSQL", 5432, "PostgreSQL documentation, protocol"),
    yes("vnc", "VNC", 5900, "RFC 6143"),
    yes("winrm", "WinRM", 5985, "MS-WSMV"),
    yes("redis", "Redis", 6379, "Redis serialization protocol"),
    yes("jetdirect", "printing on port 9100", 9100, "HP, JetDirect"),
    yes("mqtt", "MQTT", 1883, "OASIS MQTT 5.0"),
    yes("amqp rabbitmq", "AMQP", 5672, "OASIS AMQP 1.0"),
    yes("memcached", "memcached", 11211, "memcached, protocol.txt"),
    yes(
        "docker",
        "Docker",
        2375,
        "Docker, remote access",
        "It passes; ssh:// in DOCKER_HOST does without a forward.",
    ),
    yes(
        "kubernetes",
        "the Kubernetes API",
        6443,
        "Kubernetes documentation",
        "It passes; kubectl needs --tls-server-name with the name in the certificate.",
    ),
    yes("ica citrix", "Citrix ICA", 1494, "Citrix, communication ports"),
    yes("spice", "SPICE", 5930, "SPICE protocol; all its channels use the one port"),
    Protocol(
        names=("rdp", "terminal-services", "mstsc"),
        title="RDP",
        passes=Passes.YES,
        why="It passes; mstsc refuses its own machine at port 3389, so 127.0.0.2 and another port "
        "are safe everywhere. UDP is only an option of it.",
        source="MS-RDPBCGR, MS-RDPEUDP; docs/findings.md, rdp-own-address",
        ways=(
            Way("netkit forward --bind 127.0.0.2:3390 --to SERVER:3389 {gateway}"),
            Way("mstsc /v:127.0.0.2:3390", "on Windows"),
        ),
        works=True,
    ),
    Protocol(
        names=("x11", "x"),
        title="X11",
        passes=Passes.YES,
        why="It passes the other way round: programs beyond the gateway connect to the display "
        "here, so it is a remote forward.",
        source="X Window System Protocol, Connection Setup; ssh(1), X11 FORWARDING",
        ways=(
            Way("netkit forward -R 6001:/tmp/.X11-unix/X0 {gateway}", "then DISPLAY=localhost:1"),
            Way("ssh -X {gateway}"),
        ),
        works=True,
    ),
)
