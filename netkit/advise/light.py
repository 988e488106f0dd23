"""What needs no files: forwards, a SOCKS proxy, sshuttle; and a client's file for Zebedee."""

from __future__ import annotations

from netkit.advise.choose import WEAK
from netkit.advise.keys import Keys
from netkit.advise.model import HERE, File, Recipe, Sites, Technology
from netkit.model import Endpoint, Fix, Gateway

PROGRAM = "netkit"
SERVER = Endpoint("SERVER", 3389)
"""What stands for a service that was not named."""

SOCKS_PORT = 1080
ZEBEDEE_PORT = 11965


def forward(sites: Sites, keys: Keys) -> Recipe:
    """Return one forward for each service."""
    del keys
    words = [
        word
        for target in sites.targets
        for word in ("--bind", str(_bind(target)), "--to", str(target))
    ]
    return Recipe(
        technology=Technology.TCP_FORWARD,
        steps=(
            Fix((PROGRAM, "forward", str(_login(sites)), *words), note="Ctrl-C ends it"),
            *(
                Fix((), note=f"then connect to {_bind(target)} in place of {target}")
                for target in sites.targets
            ),
        ),
        notes=(f"{PROGRAM} protocols NAME says what to mind with a protocol.",),
    )


def socks(sites: Sites, keys: Keys) -> Recipe:
    """Return a SOCKS and HTTP proxy."""
    del keys
    return Recipe(
        technology=Technology.SOCKS,
        steps=(
            Fix(
                (PROGRAM, "forward", str(_login(sites)), "-D", str(SOCKS_PORT)),
                note="Ctrl-C ends it",
            ),
            Fix(
                ("curl", "--proxy", f"socks5h://127.0.0.1:{SOCKS_PORT}", "http://SERVER/"),
                note="programs are told so; in a browser: SOCKS host 127.0.0.1, remote DNS",
            ),
        ),
    )


def sshuttle(sites: Sites, keys: Keys) -> Recipe:
    """Return sshuttle's command."""
    del keys
    login = _login(sites)
    host = f"{login.user}@{login.host}" if login.user else login.host
    remote = f"{host}:{login.port}" if login.port else host
    nets = tuple(map(str, sites.remote_nets))
    return Recipe(
        technology=Technology.SSHUTTLE,
        steps=(
            Fix(
                ("sshuttle", "-r", remote, *nets),
                note="asks for sudo; Ctrl-C ends it and takes its firewall rules back",
            ),
        ),
        notes=(
            "The gateway needs Python 3, nothing else.",
            "--dns sends the questions for names through as well.",
            "ping and UDP do not go through.",
        ),
    )


def zebedee(sites: Sites, keys: Keys) -> Recipe:
    """Return the client's file for a Zebedee server that is there already."""
    del keys
    name = f"{sites.name}.zbd"
    lines = [
        "# Client of an existing Zebedee server (manual of 2.5.3, Configuration File).",
        "server false",
        "detached false",
        f"serverhost {sites.gateway_address}",
        f"serverport {sites.port or ZEBEDEE_PORT}",
        "listenip 127.0.0.1",
        f"udpmode {'true' if sites.udp_service else 'false'}",
        *(f"tunnel {_bind(target).port}:{target.host}:{target.port}" for target in sites.targets),
        "compression zlib:6",
        "keylength 256",
        "",
    ]
    return Recipe(
        technology=Technology.ZEBEDEE,
        files=(File(HERE, name, "\n".join(lines), "wherever you like"),),
        steps=(Fix(("zebedee", "-f", f"{HERE}/{name}"), note="Ctrl-C ends it"),),
        warnings=(
            f"ZEBEDEE {WEAK}. Whoever can read or change the packets on the way may break it.",
            "Replace it as soon as the other side can run sshd, WireGuard or OpenVPN.",
        ),
        notes=("The file was written from the manual and was not tried against a server.",),
    )


def _login(sites: Sites) -> Gateway:
    assert sites.login is not None, "checked before"
    return sites.login


def _bind(target: Endpoint) -> Endpoint:
    """Return where to listen for a service: an address and port that clients accept.

    Windows' own RDP client refuses its own machine at the usual address and port.
    """
    if target.port == 3389:
        return Endpoint("127.0.0.2", 3390)
    port = target.port if target.port >= 1024 else target.port + 10000
    return Endpoint("127.0.0.1", port)
