"""What the fuzzer feeds to the readers of saved tunnels: netkit's own and other programs'."""

from __future__ import annotations

import contextlib

from netkit.errors import NetkitError
from netkit.text.foreign.boring import read_tunnels
from netkit.text.foreign.mole import read_alias
from netkit.text.foreign.ssh_words import read_words
from netkit.text.profiles.editing import block
from netkit.text.profiles.reading import decode
from netkit.text.putty.forwardings import parse_forwardings
from netkit.text.putty.host_keys import parse_cache_file
from netkit.text.putty.mapping import to_profile
from netkit.text.putty.registry_file import parse_registry_file
from netkit.text.putty.session_file import parse_session
from support.fuzz import Target


def putty(data: bytes) -> None:
    """A session, a .reg file and the cache of host keys; what is a session becomes a profile."""
    text = data.decode("utf-8", "replace")
    parse_forwardings(text)
    for read in (
        lambda: to_profile(parse_session(data, "s", "f"), "s"),
        lambda: parse_registry_file(data, "f"),
        lambda: parse_cache_file(data, "f"),
    ):
        with contextlib.suppress(NetkitError):
            read()


def profiles(data: bytes) -> None:
    """A file of profiles: what is read is written and read again."""
    try:
        found = decode(data, "f")
    except NetkitError:
        return
    for profile in found.profiles:
        with contextlib.suppress(NetkitError):
            made = block(profile)
            assert len(decode(made.encode(), "f").profiles) == 1


def foreign(data: bytes) -> None:
    """The files of mole and boring, and the words of a command line."""
    words = data.decode("utf-8", "replace").split()
    for read in (
        lambda: read_alias(data, "f", "n"),
        lambda: read_tunnels(data, "f", {}),
        lambda: read_words(words, "n"),
    ):
        with contextlib.suppress(NetkitError):
            read()


_SESSION = b"HostName=gw\nProtocol=ssh\nPortForwardings=L127.0.0.2:3389=ts:3389,4D1080=\n"
_REGISTRY = (
    b"REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\a%20b]\r\n"
    b'"PortNumber"=dword:00000016\r\n"HostName"="gw"\r\n'
)
_HOST_KEYS = b"ssh-ed25519@22:gw 0x1,0x2\nrsa2@22:gw 0x10001,0xabcdef\n"
_PROFILES = (
    b'default = "a"\n[profiles.a]\ngateway = "me@gw"\n[[profiles.a.forwards]]\n'
    b'kind = "local"\nbind = "127.0.0.2:3389"\nto = "ts:3389"\n'
)
_MOLE = b'tunnel-type = "local"\nserver = "me@gw"\nsource = ["127.0.0.1:80"]\n'
_BORING = b'[[tunnels]]\nname = "a"\nlocal = "9000"\nremote = "localhost:9000"\nhost = "gw"\n'
_AUTOSSH = b"autossh -M 0 -N -L 80:db:80 -o ServerAliveInterval=5 me@gw"

SAVED_TARGETS = (
    Target(
        "putty",
        putty,
        (_SESSION, _REGISTRY, _HOST_KEYS),
        words=(b"ProxyMethod=3\n", b"X11Forward=1\n", b"SSHManualHostKeys=", b"hex(1):"),
    ),
    Target(
        "profiles",
        profiles,
        (_PROFILES,),
        words=(b'keepalive = "auto"\n', b'jumps = ["a"]\n', b'proxy = "socks5://p"\n'),
    ),
    Target("foreign", foreign, (_MOLE, _BORING, _AUTOSSH)),
)
