"""SshTransport against a real sshd: every algorithm, rekeying, and odd messages."""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import replace

import paramiko
import pytest
from paramiko.message import Message

from netkit.engine.transport import client
from netkit.engine.transport.algorithms import CIPHERS, KEX, MACS
from netkit.errors import AlgorithmError, NetkitError
from netkit.model import Hop
from support.asyncssh_server import AsyncsshServer
from support.login import agreed, fails, logged_in, sshd_hop
from support.scripted_server import ScriptedServer
from support.sshd import Sshd

KEX_OF_SSHD = [name for name in KEX if not name.startswith("mlkem")]


@pytest.fixture
def sshd(tmp_path):
    with Sshd(tmp_path, tcp=False) as server:
        yield server


def echo(transport, text: bytes = b"hello") -> bytes:
    channel = transport.open_session()
    channel.exec_command("cat")
    channel.sendall(text)
    channel.shutdown_write()
    received = b""
    while piece := channel.recv(65536):
        received += piece
    channel.close()
    return received


class TestAlgorithms:
    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_each_cipher(self, tmp_path, cipher):
        with Sshd(tmp_path, tcp=False, Ciphers=cipher) as sshd:
            with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
                assert agreed(transport).cipher == cipher
                assert transport.agreed_reverse == transport.agreed
                assert echo(transport) == b"hello"

    @pytest.mark.parametrize("mac", MACS)
    def test_each_mac(self, tmp_path, mac):
        with Sshd(tmp_path, tcp=False, Ciphers="aes128-ctr", MACs=mac) as sshd:
            with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
                assert agreed(transport).mac == mac
                assert echo(transport) == b"hello"

    @pytest.mark.parametrize("kex", KEX_OF_SSHD)
    def test_each_kex(self, tmp_path, kex):
        with Sshd(tmp_path, tcp=False, KexAlgorithms=kex) as sshd:
            with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
                assert agreed(transport).kex == kex

    def test_mlkem(self, tmp_path):
        if "mlkem768x25519-sha256" not in client.supported_kex():
            pytest.skip("this OpenSSL has no ML-KEM")
        with ScriptedServer(password="pw") as server:
            with logged_in(server.hop(), server.sock, password="pw") as transport:
                assert agreed(transport).kex == "mlkem768x25519-sha256"

    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
    def test_each_host_key(self, tmp_path, kind):
        with Sshd(tmp_path, tcp=False, host_keys=[kind]) as sshd:
            with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
                assert kind in agreed(transport).host_key

    def test_compression(self, sshd):
        hop = sshd_hop(sshd, compression=True)
        with logged_in(hop, sshd.pipe()) as transport:
            assert agreed(transport).compression == "zlib@openssh.com"
            assert echo(transport, b"again and " * 50_000) == b"again and " * 50_000

    def test_compression_from_the_start(self, tmp_path):
        with AsyncsshServer(tmp_path, password="pw", compression_algs=["zlib"]) as server:
            hop = Hop(
                alias="zlib",
                host="127.0.0.1",
                port=server.port,
                user="x",
                known_hosts=(server.known_hosts(),),
                compression=True,
            )
            sock = socket.create_connection(("127.0.0.1", server.port))
            with logged_in(hop, sock, password="pw") as transport:
                assert agreed(transport).compression == "zlib"

    def test_gcm_with_macs_we_lack(self, tmp_path):
        with Sshd(
            tmp_path, tcp=False, Ciphers="aes256-gcm@openssh.com", MACs="umac-64@openssh.com"
        ) as sshd:
            with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
                assert agreed(transport).mac == "implicit"
                assert echo(transport) == b"hello"

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ({"Ciphers": "chacha20-poly1305@openssh.com"}, ("chacha20-poly1305", CIPHERS[0])),
            ({"KexAlgorithms": "sntrup761x25519-sha512@openssh.com"}, ("sntrup761", KEX[1])),
            ({"Ciphers": "aes128-ctr", "MACs": "umac-64@openssh.com"}, ("umac-64", MACS[0])),
        ],
    )
    def test_server_with_only_what_we_lack(self, tmp_path, options, names):
        with Sshd(tmp_path, tcp=False, **options) as sshd:
            error = fails(sshd_hop(sshd), sshd.pipe())
            assert isinstance(error, AlgorithmError)
            assert error.code == "no-common-algorithm"
            assert all(name in error.cause for name in names)

    def test_hop_restricts(self, sshd):
        hop = sshd_hop(sshd, ciphers=("aes256-ctr",), macs=("hmac-sha2-512",), kex=("*nistp384",))
        with logged_in(hop, sshd.pipe()) as transport:
            there = agreed(transport)
            assert (there.cipher, there.mac) == ("aes256-ctr", "hmac-sha2-512")
            assert there.kex == "ecdh-sha2-nistp384"


def test_facts(sshd):
    with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
        assert transport.server_version.startswith("SSH-2.0-OpenSSH")
        assert transport.strict_kex
        assert transport.local_version.startswith("SSH-2.0-netkit_")


def test_server_without_strict_kex_is_recorded():
    def no_strict(transport):
        transport.advertise_strict_kex = False

    with ScriptedServer(password="pw", before=no_strict) as server:
        with logged_in(server.hop(), server.sock, password="pw") as transport:
            assert not transport.strict_kex


@pytest.mark.parametrize("from_server", [True, False])
def test_rekeying(tmp_path, from_server):
    options = {"RekeyLimit": "64K"} if from_server else {}
    with Sshd(tmp_path, tcp=False, **options) as sshd:
        with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
            if not from_server:
                transport.renegotiate_keys()
            data = bytes(range(256)) * 4096
            assert echo(transport, data) == data
            sshd.wait_log("rekey|SSH2_MSG_KEXINIT received[^$]*SSH2_MSG_KEXINIT received")


def test_other_host_key_at_rekey_ends_the_link():
    with ScriptedServer(password="pw") as server:
        with logged_in(server.hop(), server.sock, password="pw") as transport:
            server.transport.add_server_key(paramiko.ECDSAKey.generate())
            with pytest.raises(NetkitError) as caught:
                transport.renegotiate_keys()
            assert caught.value.code == "host-key-changed-in-session"


def test_wrong_host_key_signature():
    def forge(transport):
        key = transport.get_server_key() or next(iter(transport.server_key_dict.values()))
        other = paramiko.ECDSAKey.generate()
        key.sign_ssh_data = other.sign_ssh_data

    with ScriptedServer(password="pw", before=forge) as server:
        error = fails(server.hop(), server.sock, password="pw")
        assert error.code == "bad-host-key-signature"


def test_unknown_message_is_answered_with_unimplemented():
    answered = threading.Event()

    def watch(transport):
        transport._handler_table[3] = lambda m: answered.set()

    with ScriptedServer(password="pw", before=watch) as server:
        with logged_in(server.hop(), server.sock, password="pw") as transport:
            server.send(bytes([192]) + b"ping")
            assert answered.wait(10)
            assert transport.is_active()


def test_extensions_are_bounded():
    def flood(transport):
        send = transport._send_message

        def bent(m):
            if m.asbytes()[:1] == b"\x07":
                m = Message(b"\x07\xff\xff\xff\xff")
            send(m)

        transport._send_message = bent

    with ScriptedServer(password="pw", before=flood) as server:
        error = fails(server.hop(), server.sock, password="pw")
        assert error.code == "protocol-error"
        assert "extensions" in error.summary


def test_disconnect_message_is_quoted():
    def refuse(transport):
        def bent(m):
            text = b"go\x1b away"
            transport._send_message(
                Message(b"\x01\0\0\0\x0b\0\0\0" + bytes([len(text)]) + text + b"\0\0\0\0")
            )

        transport._handler_table[5] = bent

    with ScriptedServer(password="pw", before=refuse) as server:
        error = fails(server.hop(), server.sock, password="pw")
        assert error.code == "disconnected-by-gateway"
        assert "go? away" in error.cause
        assert "code 11" in error.cause


def test_failures_are_not_printed(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with Sshd(tmp_path, tcp=False, Ciphers="chacha20-poly1305@openssh.com") as sshd:
        fails(sshd_hop(sshd), sshd.pipe())
    ours = [r for r in caplog.records if r.name.startswith("netkit")]
    assert ours
    assert all(record.levelno < logging.WARNING for record in ours)
    assert capfd.readouterr() == ("", "")


def test_shut_is_idempotent_and_ends_the_thread(sshd):
    with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
        transport.shut()
        assert not transport.is_alive()
        transport.shut()


def test_sending_waits_while_keys_are_exchanged(sshd):
    with logged_in(sshd_hop(sshd), sshd.pipe()) as transport:
        for _ in range(5):
            transport.renegotiate_keys()
            transport.send_payload(bytes([2, 0, 0, 0, 0]))
        assert echo(transport) == b"hello"


def test_unknown_host_key_type_is_not_offered(tmp_path):
    with Sshd(tmp_path, tcp=False, host_keys=["rsa"]) as sshd:
        hop = replace(sshd_hop(sshd), host_key_algorithms=("ssh-ed25519",))
        error = fails(hop, sshd.pipe())
        assert isinstance(error, AlgorithmError)
        assert "host key" in error.summary
