"""Algorithms of SSH: which of them netkit speaks, which are retired, and who fixed what."""

from __future__ import annotations

# What netkit can do; its tests compare this with the engine.
SPOKEN = {
    "kex": (
        "mlkem768x25519-sha256",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha256",
    ),
    "host_keys": (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    ),
    "ciphers": (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ),
    "macs": (
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha1-etm@openssh.com",
        "hmac-sha1",
    ),
    "compression": ("none", "zlib@openssh.com", "zlib"),
}

# ssh_config(5) and sshd_config(5); both programs use the same words.
OPTIONS = {
    "kex": "KexAlgorithms",
    "host_keys": "HostKeyAlgorithms",
    "ciphers": "Ciphers",
    "macs": "MACs",
    "compression": "Compression",
}

WORDS = {
    "kex": "key exchange",
    "host_keys": "host key",
    "ciphers": "cipher",
    "macs": "MAC",
    "compression": "compression",
}

# No current OpenSSH offers these by default (ssh_config(5), sshd_config(5): KexAlgorithms,
# HostKeyAlgorithms, Ciphers, MACs).  RFC 8758 deprecates RC4, RFC 9142 key exchanges with SHA-1.
RETIRED = frozenset(
    {
        "diffie-hellman-group1-sha1",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group-exchange-sha1",
        "rsa1024-sha1",
        "gss-group1-sha1-toWM5Slw5Ew8Mqkay+al2g==",
        "ssh-dss",
        "ssh-rsa",
        "3des-cbc",
        "blowfish-cbc",
        "cast128-cbc",
        "idea-cbc",
        "arcfour",
        "arcfour128",
        "arcfour256",
        "aes128-cbc",
        "aes192-cbc",
        "aes256-cbc",
        "rijndael-cbc@lysator.liu.se",
        "hmac-md5",
        "hmac-md5-96",
        "hmac-md5-etm@openssh.com",
        "hmac-md5-96-etm@openssh.com",
        "hmac-sha1-96",
        "hmac-sha1-96-etm@openssh.com",
        "hmac-ripemd160",
        "hmac-ripemd160@openssh.com",
        "none",
    }
)

# Ciphers whose packets Terrapin can drop unseen (CVE-2023-48795): this one, and
# CBC with an encrypt-then-MAC.  netkit does neither, but ssh and others do.
TERRAPIN_CIPHERS = ("chacha20-poly1305@openssh.com",)
TERRAPIN_MACS_SUFFIX = "-etm@openssh.com"

STRICT_SINCE = (
    # (what the version line begins with, its name, the first version with strict key exchange)
    # CVE-2023-48795 names OpenSSH before 9.6, Dropbear through 2022.83 and AsyncSSH before 2.14.2;
    # Dropbear's next release was 2024.84.
    ("OpenSSH", "OpenSSH", "9.6"),
    ("dropbear", "Dropbear", "2024.84"),
    ("AsyncSSH", "AsyncSSH", "2.14.2"),
)


def strict_since(version_line: str) -> tuple[str, str]:
    """Return name and first version with strict key exchange of a server; empty: not known."""
    software = version_line.removeprefix("SSH-2.0-")
    for start, name, version in STRICT_SINCE:
        if software.startswith(start):
            return name, version
    return "", ""


def is_retired(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of ``names`` that are retired."""
    return tuple(name for name in names if name in RETIRED)
