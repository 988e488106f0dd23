"""Which algorithms netkit offers, and how ssh_config's lists change that.  Pure.

Order is preference.  AES-GCM leads because the cipher is the cost of a tunnel and the hardware
does it; nothing that OpenSSH has retired (CBC, 3DES, MD5, SHA-1 signatures) is offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from netkit.errors import AlgorithmError, ConfigError
from netkit.model import Hop
from netkit.text.patterns import matches
from netkit.wire.untrusted import printable

CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
MACS: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1",
)
KEX: Final = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)
HOST_KEYS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
CERT: Final = "-cert-v01@openssh.com"
STRICT: Final = "kex-strict-s-v00@openssh.com"
"""Stands among a server's key exchanges: no message may be slipped in (CVE-2023-48795)."""

_PSEUDO_KEX: Final = re.compile(r"(ext-info-[cs]|kex-strict-[cs]-v00@openssh\.com)\Z")


@dataclass(frozen=True, slots=True)
class Offer:
    """What netkit offers to one gateway, each tuple in order of preference."""

    kex: tuple[str, ...] = KEX
    host_keys: tuple[str, ...] = HOST_KEYS
    ciphers: tuple[str, ...] = CIPHERS
    macs: tuple[str, ...] = MACS
    compression: tuple[str, ...] = ("none",)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides settled on.  ``mac`` is ``implicit`` where the cipher authenticates."""

    kex: str
    host_key: str
    cipher: str
    mac: str
    compression: str


def offer_for(
    hop: Hop, *, kex: Sequence[str] = KEX, known_types: Sequence[str] = (), cert: bool = False
) -> Offer:
    """Return the offer for a hop.

    Args:
        hop: its algorithm lists are in ssh_config(5) syntax and may be empty.
        kex: what this installation can do of `KEX`.
        known_types: host key types that known_hosts holds for the gateway; they are asked for
            first, so that a server with several keys shows the one we can check.
        cert: whether an ``@cert-authority`` of known_hosts speaks for this gateway.

    Raises:
        ConfigError: a list leaves nothing that netkit can do.
    """
    certs = tuple(name + CERT for name in HOST_KEYS)
    host_keys = select(
        "HostKeyAlgorithms",
        hop.host_key_algorithms,
        default=(*certs, *HOST_KEYS) if cert else HOST_KEYS,
        supported=(*certs, *HOST_KEYS),
    )
    if not cert:
        # a certificate nobody here can check says no more than the key in it
        host_keys = tuple(n for n in host_keys if not n.endswith(CERT)) or host_keys
    return Offer(
        kex=select("KexAlgorithms", hop.kex, default=kex),
        host_keys=_known_first(host_keys, known_types),
        ciphers=select("Ciphers", hop.ciphers, default=CIPHERS),
        macs=select("MACs", hop.macs, default=MACS),
        compression=("zlib@openssh.com", "zlib", "none") if hop.compression else ("none",),
    )


def _known_first(names: tuple[str, ...], known_types: Sequence[str]) -> tuple[str, ...]:
    def rank(name: str) -> int:
        if name.endswith(CERT):
            return 0
        return 1 if type_of(name) in known_types else 2

    return tuple(sorted(names, key=rank))


def type_of(algorithm: str) -> str:
    """Return the type a key of ``algorithm`` carries in its blob and in known_hosts."""
    plain = algorithm.removesuffix(CERT)
    plain = "ssh-rsa" if plain in {"rsa-sha2-256", "rsa-sha2-512"} else plain
    return plain + CERT if algorithm.endswith(CERT) else plain


def select(
    word: str,
    spec: Sequence[str],
    *,
    default: Sequence[str],
    supported: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Apply one of ssh_config's algorithm lists.

    ``spec`` replaces the default; led by ``+`` it is appended, by ``-`` removed, by ``^`` put in
    front (ssh_config(5), Ciphers).  Entries may hold ``*`` and ``?``.  Names that netkit cannot
    do are ignored, as the same file serves OpenSSH too.

    Raises:
        ConfigError: nothing is left; the cause lists what could be named.
    """
    known = tuple(default if supported is None else supported)
    listed = [name.strip() for part in spec for name in part.split(",") if name.strip()]
    if not listed:
        return tuple(default)
    mode = listed[0][0] if listed[0][0] in "+-^" else ""
    listed[0] = listed[0].removeprefix(mode)
    named = _unique(name for pattern in listed for name in known if matches(name, pattern))
    match mode:
        case "+":
            chosen = _unique((*default, *named))
        case "-":
            chosen = tuple(name for name in default if name not in named)
        case "^":
            chosen = _unique((*named, *default))
        case _:
            chosen = named
    if not chosen:
        raise ConfigError(
            f"{word} {mode}{','.join(listed)} leaves nothing that netkit can do",
            code="no-usable-algorithm",
            cause=f"netkit supports {', '.join(known)}",
        )
    return chosen


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def agree(ours: Offer, theirs: Offer, reverse: Offer) -> tuple[Agreed, Agreed]:
    """Return what a client with ``ours`` agrees on (RFC 4253 section 7.1), per direction.

    ``theirs`` holds the server's lists for the direction client to server, ``reverse`` those for
    the direction server to client (kex and host keys are the same in both).

    Raises:
        AlgorithmError: a category has no common member; the cause names both offers.
    """
    kex = _first("key exchange", ours.kex, theirs.kex)
    host_key = _first("host key", ours.host_keys, theirs.host_keys)

    def one_way(peer: Offer) -> Agreed:
        cipher = _first("cipher", ours.ciphers, peer.ciphers)
        mac = "implicit" if is_aead(cipher) else _first("MAC", ours.macs, peer.macs)
        compression = _first("compression", ours.compression, peer.compression)
        return Agreed(kex, host_key, cipher, mac, compression)

    return one_way(theirs), one_way(reverse)


def is_strict(theirs: Offer) -> bool:
    """Return whether a server offers strict key exchange, which netkit always does."""
    return STRICT in theirs.kex


def is_aead(cipher: str) -> bool:
    """Return whether ``cipher`` authenticates by itself, so that the MAC lists do not count."""
    return cipher.endswith("-gcm@openssh.com")


def _first(category: str, ours: Sequence[str], theirs: Sequence[str]) -> str:
    for name in ours:
        if name in theirs:
            return name
    offered = ", ".join(n for n in theirs if n and not _PSEUDO_KEX.match(n)) or "nothing"
    raise AlgorithmError(
        f"the gateway and netkit have no {category} algorithm in common",
        cause=f"the gateway offers {printable(offered, 1000)}; netkit offers {', '.join(ours)}",
    )
