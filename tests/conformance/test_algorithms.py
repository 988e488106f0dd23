"""Interop: each cipher, MAC, key exchange, host key and compression that both sides offer."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from netkit.engine.transport import algorithms
from netkit.engine.transport.client import supported_kex
from netkit.errors import AlgorithmError
from netkit.events import LinkUp
from netkit.model import Hop, HostKeyPolicy
from support import targets, tunnels
from support.peers import find
from support.sshd import Sshd
from support.tunnels import TestGateway, local, read_all, tunnel


def offered(kind: str) -> list[str]:
    """Return what this machine's OpenSSH knows of ``kind`` (ssh(1) -Q)."""
    ssh = find("ssh")
    if ssh is None:
        return []
    done = subprocess.run([ssh, "-Q", kind], capture_output=True, text=True, check=True)
    return done.stdout.split()


CIPHERS = [name for name in algorithms.CIPHERS if name in offered("cipher")]
MACS = [name for name in algorithms.MACS if name in offered("mac")]
KEX = [name for name in supported_kex() if name in offered("kex")]
PLAIN_CTR = [name for name in CIPHERS if not algorithms.is_aead(name)]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory):
    """An sshd that offers all it knows."""
    words = {
        "Ciphers": ",".join(offered("cipher")),
        "MACs": ",".join(offered("mac")),
        "KexAlgorithms": ",".join(offered("kex")),
    }
    directory = tmp_path_factory.mktemp("everything")
    kinds = ("ed25519", "ecdsa", "rsa")
    with tunnels.start("sshd", directory, host_keys=kinds, **words) as running:
        yield running


def check(hop, host_key: str = "", **expected: str) -> None:
    """Move a MiB each way and see that the link has what was asked for."""
    size = 1 << 20
    with targets.half_close() as half, targets.source(size) as source:
        with tunnel(hop, forwards=[local(half.address), local(source.address)]) as run:
            with run.connect() as sock:
                for piece in targets.pattern(size):
                    sock.sendall(piece)
                sock.shutdown(1)
                assert read_all(sock).decode() == targets.pattern_digest(size)
            with run.connect(1) as sock:
                sock.shutdown(1)
                assert hashlib.sha256(read_all(sock)).hexdigest() == (targets.pattern_digest(size))
            if host_key:
                agreed = run.tunnel._links.chain.last.transport.agreed
                assert agreed is not None
                assert agreed.host_key == host_key
            up = run.events.wait(LinkUp)
            for name, value in expected.items():
                assert getattr(up, name) == value


def test_something_is_tested():
    assert len(CIPHERS) >= 5
    assert len(MACS) >= 4
    assert len(KEX) >= 4


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("compression", [False, True])
def test_cipher(everything: TestGateway, cipher: str, compression: bool):
    hop = everything.hop(ciphers=(cipher,), compression=compression)
    check(hop, cipher=cipher, compression="zlib@openssh.com" if compression else "none")


@pytest.mark.parametrize("mac", MACS)
@pytest.mark.parametrize("cipher", PLAIN_CTR)
def test_mac(everything: TestGateway, mac: str, cipher: str):
    check(everything.hop(ciphers=(cipher,), macs=(mac,)), mac=mac)


@pytest.mark.parametrize("kex", KEX)
def test_key_exchange(everything: TestGateway, kex: str):
    check(everything.hop(kex=(kex,)), kex=kex)


@pytest.mark.parametrize(
    "kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]
)
def test_host_key(everything: TestGateway, kind: str):
    check(everything.hop(host_key_algorithms=(kind,)), host_key=kind)


@pytest.mark.parametrize("name", ["dropbear", "asyncssh", "netkit"])
@pytest.mark.parametrize("cipher", algorithms.CIPHERS)
def test_cipher_of_other_gateways(
    tmp_path_factory: pytest.TempPathFactory, others: dict[str, TestGateway], name: str, cipher: str
):
    hop = others[name].hop(ciphers=(cipher,))
    try:
        check(hop, cipher=cipher)
    except AlgorithmError as error:
        assert name == "dropbear"  # which knows few; the error names both offers
        assert cipher in error.cause


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory):
    names = ("dropbear", "asyncssh", "netkit")
    directory = tmp_path_factory.mktemp("others")
    with (
        tunnels.start(names[0], directory) as one,
        tunnels.start(names[1], directory) as two,
        tunnels.start(names[2], directory) as three,
    ):
        yield dict(zip(names, (one, two, three), strict=True))


def test_plain_zlib(tmp_path: Path):
    """The older kind, which compresses from the first key exchange on."""
    with tunnels.start("asyncssh", tmp_path, compression_algs=["zlib"]) as gateway:
        check(gateway.hop(compression=True), compression="zlib")


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("Ciphers", "chacha20-poly1305@openssh.com"),
        ("KexAlgorithms", "sntrup761x25519-sha512@openssh.com"),
    ],
)
def test_nothing_in_common_lists_both_offers(tmp_path: Path, word: str, values: str):
    with tunnels.start("sshd", tmp_path, **{word: values}) as gateway:
        run = tunnels.make(gateway)
        with pytest.raises(AlgorithmError) as caught:
            run.tunnel.start()
    error = caught.value
    assert error.exit_code == 4
    assert values in f"{error.summary} {error.cause}"
    assert "aes128-gcm@openssh.com" in error.cause or "curve25519-sha256" in error.cause


def test_mac_in_common_only_by_umac(tmp_path: Path):
    words = {"Ciphers": "aes128-ctr", "MACs": "umac-128@openssh.com"}
    with tunnels.start("sshd", tmp_path, **words) as gateway:
        with pytest.raises(AlgorithmError) as caught:
            tunnels.make(gateway).tunnel.start()
    assert "umac-128@openssh.com" in caught.value.cause


def test_default_is_aes_gcm_with_curve25519(sshd: TestGateway):
    check(sshd.hop(), cipher="aes128-gcm@openssh.com", kex="curve25519-sha256", compression="none")


def test_sshd_over_a_pipe(tmp_path: Path):
    """`sshd -i` with a ProxyCommand: no port at all."""
    with Sshd(tmp_path, tcp=False) as server:
        hop = Hop(
            alias="piped",
            host="piped.test",
            user=server.user,
            name="piped.test",
            known_hosts=(server.known_hosts(name="piped.test"),),
            host_key=HostKeyPolicy.STRICT,
            identities=(server.client_key,),
            identities_explicit=True,
            identities_only=True,
            proxy_command=f"exec {server.binary} -i -f {server.config} -E {tmp_path}/sshd.log",
            connect_timeout=10,
        )
        check(hop)
