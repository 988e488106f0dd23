from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from netkit.desktop.await_server import Answer, Question, Result, Waiter
from netkit.desktop.clients import Kind
from netkit.model import Endpoint
from support import targets
from support.speaker import CONFIRM, Speaker


def ask(kind: Kind, at: Endpoint, **more) -> Answer:
    return Waiter().wait(Question(kind=kind, at=at, limit=more.pop("limit", 5.0), **more))


def test_an_rdp_server_answers():
    with Speaker(CONFIRM) as server:
        answer = ask(Kind.RDP, server.at)
    assert answer.result is Result.ANSWERED
    assert answer.text == "RDP, network level authentication"
    assert answer.source.startswith("127.0.0.1:")
    assert b"mstshash" in server.heard[0]


def test_a_vnc_server_speaks_first():
    with Speaker(b"RFB 003.008\n", listens_first=False) as server:
        assert ask(Kind.VNC, server.at).text == "VNC, RFB 3.8"


def test_a_web_server_is_asked_under_the_address_here():
    with Speaker(b"HTTP/1.1 301 Moved\r\n") as server:
        assert ask(Kind.HTTP, server.at, path="/a").text == "HTTP, status 301"
    assert server.heard[0].startswith(b"HEAD /a HTTP/1.1\r\n")
    assert f"Host: {server.at}\r\n".encode() in server.heard[0]


def test_another_server():
    with Speaker(b"SSH-2.0-x\r\n", listens_first=False) as server:
        answer = ask(Kind.RDP, server.at)
    assert (answer.result, answer.text) == (Result.OTHER, "an SSH server")


def test_one_that_stops_in_the_middle_is_another():
    with Speaker(CONFIRM[:9]) as server:
        assert ask(Kind.RDP, server.at).result is Result.OTHER


def test_one_that_closes_without_a_word():
    with Speaker(b"") as server:
        assert ask(Kind.RDP, server.at).result is Result.REFUSED


def test_one_that_resets():
    with targets.reset() as server:
        assert ask(Kind.RDP, Endpoint(server.host, server.port)).result is Result.REFUSED


def test_a_silent_one_is_left_in_time():
    with targets.blackhole() as server:
        began = time.monotonic()
        answer = ask(Kind.RDP, Endpoint(server.host, server.port), limit=0.2)
        assert time.monotonic() - began < 5
    assert answer.result is Result.SILENT


def test_nobody_listens():
    with targets.refuse() as nobody:
        assert ask(Kind.RDP, Endpoint(nobody.host, nobody.port)).result is Result.REFUSED


def test_it_is_asked_again_while_it_refuses(monkeypatch):
    monkeypatch.setattr("netkit.desktop.await_server.AGAIN", 0.01)
    with Speaker(b"", b"", CONFIRM) as server:
        assert ask(Kind.RDP, server.at, again=True).result is Result.ANSWERED
    assert len(server.heard) == 3


def test_asking_again_has_an_end():
    with targets.refuse() as nobody:
        at = Endpoint(nobody.host, nobody.port)
        assert ask(Kind.RDP, at, again=True, limit=0.2).result is Result.REFUSED


@pytest.mark.parametrize("secure", [False, True])
def test_cancelled_while_it_waits(secure: bool):
    asked = threading.Event()
    waiter = Waiter(lambda _source: asked.set())
    with targets.blackhole() as server:
        question = Question(
            kind=Kind.HTTP, at=Endpoint(server.host, server.port), limit=60, secure=secure
        )
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(waiter.wait(question)))
        thread.start()
        assert asked.wait(10)
        waiter.cancel()
        thread.join(10)
    assert [answer.result for answer in answers] == [Result.CANCELLED]


def test_cancelled_before_it_begins():
    waiter = Waiter()
    waiter.cancel()
    with targets.blackhole() as server:
        at = Endpoint(server.host, server.port)
        assert waiter.wait(Question(kind=Kind.RDP, at=at)).result is Result.CANCELLED


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _tls_server(
    context: ssl.SSLContext, script: Callable[[ssl.SSLSocket], None]
) -> Iterator[Endpoint]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            sock, _ = listener.accept()
            with sock:
                try:
                    with context.wrap_socket(sock, server_side=True) as secured:
                        script(secured)
                except OSError:
                    return

        thread = threading.Thread(target=run)
        thread.start()
        yield Endpoint("127.0.0.1", listener.getsockname()[1])
        thread.join(10)


def test_a_certificate_is_the_browsers_affair(certificate: ssl.SSLContext):
    def script(sock: ssl.SSLSocket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    for at in _tls_server(certificate, script):
        assert ask(Kind.HTTP, at, secure=True).text == "HTTP, status 200"


def test_a_server_that_wants_a_certificate_of_ours_is_one(certificate: ssl.SSLContext):
    certificate.verify_mode = ssl.CERT_REQUIRED
    certificate.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        for at in _tls_server(certificate, lambda sock: None):
            answer = ask(Kind.HTTP, at, secure=True)
            assert (answer.result, answer.text) == (Result.ANSWERED, "HTTPS")
    finally:
        certificate.verify_mode = ssl.CERT_NONE
        certificate.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED


def test_plain_http_where_tls_was_meant():
    with Speaker(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        answer = ask(Kind.HTTP, server.at, secure=True)
    assert (answer.result, answer.text) == (Result.OTHER, "a server that does not speak TLS")
