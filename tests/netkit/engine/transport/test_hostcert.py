"""Host certificates: OpenSSH's own, its rules, and a login that rests on one."""

from __future__ import annotations

import base64
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit.engine.transport import hostcert
from netkit.engine.transport.hostcert import Certificate, host_fault, parse_certificate
from netkit.errors import HostKeyError, RemoteProtocolError
from netkit.text.fingerprints import key_type
from support.login import agreed, fails, logged_in, sshd_hop
from support.sshd import Sshd, make_key, public_line

NOW = time.time()


def blob_of(public: Path) -> bytes:
    return base64.b64decode(public.read_text().split()[1])


def certify(key: Path, authority: Path, *options: str) -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "id", *options, f"{key}.pub"], check=True
    )
    return Path(f"{key}-cert.pub")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_key(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture(scope="module")
def blob(authority, tmp_path_factory):
    key = make_key(tmp_path_factory.mktemp("host") / "host")
    options = ["-h", "-z", "7", "-n", "gate.example,*.lab.example", "-V", "-1h:+1h"]
    return blob_of(certify(key, authority, *options))


@pytest.fixture(scope="module")
def certificate(blob) -> Certificate:
    return parse_certificate(blob)


class TestParse:
    def test_fields(self, certificate, authority):
        assert certificate.serial == 7
        assert certificate.kind == hostcert.HOST
        assert certificate.key_id == "id"
        assert certificate.principals == ("gate.example", "*.lab.example")
        assert certificate.valid_after < NOW < certificate.valid_before
        assert certificate.ca_blob == blob_of(Path(f"{authority}.pub"))
        assert key_type(certificate.key_blob) == "ssh-ed25519"

    @pytest.mark.parametrize(
        ("kind", "options"), [("rsa", ("-b", "2048")), ("ecdsa", ("-b", "384")), ("ed25519", ())]
    )
    def test_inner_key(self, tmp_path, authority, kind, options):
        key = make_key(tmp_path / "k", kind, *options)
        certificate = parse_certificate(blob_of(certify(key, authority, "-h")))
        assert certificate.key_blob == blob_of(Path(f"{key}.pub"))
        assert host_fault(certificate, "any", NOW) == ""

    @pytest.mark.parametrize("cut", [1, 10, 50, 100])
    def test_cut_off(self, blob, cut):
        with pytest.raises(RemoteProtocolError):
            parse_certificate(blob[:-cut])

    def test_bytes_behind_the_end(self, blob):
        with pytest.raises(RemoteProtocolError):
            parse_certificate(blob + b"\0")

    def test_plain_key_is_no_certificate(self, authority):
        with pytest.raises(RemoteProtocolError):
            parse_certificate(blob_of(Path(f"{authority}.pub")))

    @given(st.data())
    def test_damaged_certificates_are_refused(self, blob, data):
        at = data.draw(st.integers(0, len(blob) - 1))
        damaged = bytearray(blob)
        damaged[at] ^= data.draw(st.integers(1, 255))
        try:
            certificate = parse_certificate(bytes(damaged))
        except RemoteProtocolError:
            return
        assert host_fault(certificate, "gate.example", NOW) != ""


class TestRules:
    @pytest.mark.parametrize("name", ["gate.example", "GATE.example", "a.lab.example"])
    def test_good(self, certificate, name):
        assert host_fault(certificate, name, NOW) == ""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"kind": hostcert.USER}, "user certificate"),
            ({"critical": b"\0\0\0\x01x\0\0\0\0"}, "critical"),
            ({"valid_after": 2**63}, "not valid yet"),
            ({"valid_before": 1}, "expired"),
            ({"principals": ("else.example",)}, "made out to else.example"),
            ({"signed": b"something else"}, "signature is wrong"),
            ({"signature": b""}, "signature is wrong"),
        ],
    )
    def test_bad(self, certificate, change, words):
        assert words in host_fault(replace(certificate, **change), "gate.example", NOW)

    def test_moment_of_expiry_is_expired(self, certificate):
        assert host_fault(certificate, "gate.example", certificate.valid_before - 1) == ""
        assert "expired" in host_fault(certificate, "gate.example", certificate.valid_before)

    def test_no_principals_is_every_host(self, tmp_path, authority):
        key = make_key(tmp_path / "k")
        certificate = parse_certificate(blob_of(certify(key, authority, "-h")))
        assert host_fault(certificate, "anything", NOW) == ""


class TestLogin:
    @pytest.fixture
    def host(self, tmp_path, authority):
        """A function that starts an sshd with a host certificate and a known_hosts line."""
        servers = []

        def start(*options: str, line: str = "@cert-authority 127.0.0.1 {ca}"):
            sshd = Sshd(tmp_path, tcp=False)
            certificate = certify(sshd.host_key_files[0], authority, "-h", *options)
            sshd._extra = (f"HostCertificate {certificate}",)
            sshd.__enter__()
            servers.append(sshd)
            known = tmp_path / "known"
            known.write_text(line.format(ca=public_line(authority), key=sshd.host_key()) + "\n")
            return sshd, sshd_hop(sshd, known_hosts=(known,))

        yield start
        for sshd in servers:
            sshd.stop()

    def test_certificate_of_a_trusted_authority(self, host):
        sshd, hop = host("-n", "127.0.0.1")
        with logged_in(hop, sshd.pipe()) as transport:
            assert agreed(transport).host_key == "ssh-ed25519-cert-v01@openssh.com"
            assert transport.certificate
            assert transport.certificate.principals == ("127.0.0.1",)

    def test_for_another_host(self, host):
        sshd, hop = host("-n", "other.example")
        error = fails(hop, sshd.pipe())
        assert isinstance(error, HostKeyError)
        assert error.code == "host-certificate-invalid"
        assert "other.example" in error.summary

    def test_expired(self, host):
        sshd, hop = host("-V", "20200101:20200102")
        assert "expired" in fails(hop, sshd.pipe()).summary

    def test_revoked_authority(self, host):
        line = "@cert-authority * {ca}\n@revoked * {ca}"
        sshd, hop = host("-n", "127.0.0.1", line=line)
        assert fails(hop, sshd.pipe()).code == "host-key-revoked"

    def test_another_authority_leaves_the_plain_key(self, host, tmp_path):
        other = public_line(make_key(tmp_path / "other"))
        sshd, hop = host(line=f"@cert-authority * {other}\n127.0.0.1 {{key}}")
        with logged_in(hop, sshd.pipe()):
            pass

    def test_another_authority_and_an_unknown_key(self, host, tmp_path):
        other = public_line(make_key(tmp_path / "other"))
        sshd, hop = host(line=f"@cert-authority * {other}")
        assert fails(hop, sshd.pipe()).code == "host-key-unknown"

    def test_authority_for_other_names_only(self, host):
        sshd, hop = host(line="@cert-authority *.example {ca}\n127.0.0.1 {key}")
        with logged_in(hop, sshd.pipe()) as transport:
            assert transport.certificate is None
