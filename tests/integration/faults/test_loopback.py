"""Loopback and localhost, broken for real: in network and mount namespaces."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.doctor import Diagnosis, expect, run_doctor
from support.netns import Namespace, namespace
from support.peers import require

HOSTNAME = socket.gethostname()


def listen_on(address: str) -> tuple[str, ...]:
    """Return the words for a forward that listens there."""
    return ("--for", "forward", "--bind", address, "--to", "web:80")


@pytest.fixture
def ns() -> Iterator[Namespace]:
    with namespace("loopback") as made:
        yield made


def with_file(tmp_path: Path, path: str, text: str) -> tuple[str, ...]:
    """Return the words that run a command where ``path`` holds ``text``."""
    private = tmp_path / Path(path).name
    private.write_text(text)
    script = f'mount --bind "$0" {path} && exec "$@"'
    return (str(require("unshare")), "-m", "sh", "-c", script, str(private))


def with_hosts(tmp_path: Path, text: str) -> tuple[str, ...]:
    return with_file(tmp_path, "/etc/hosts", text)


def mend(ns: Namespace, diagnosis: Diagnosis, code: str) -> None:
    """Run the first fix of a finding."""
    argv = diagnosis.finding(code)["fixes"][0]["argv"]
    ns.run(*(argv[1:] if argv[0] == "sudo" else argv))


def test_down(tmp_path, record_property):
    with namespace("loopback", lo=False) as ns:
        diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
        expect(
            record_property,
            diagnosis,
            "loopback interface down",
            {"loopback-down"},
            hidden={"loopback-address"},
        )
        assert diagnosis.code == 1
        mend(ns, diagnosis, "loopback-down")
        assert run_doctor(home=tmp_path, prefix=ns.prefix).codes() == set()


def test_down_hides_what_it_does_to_ports(tmp_path, record_property):
    with namespace("loopback", lo=False) as ns:
        diagnosis = run_doctor(*listen_on("127.0.0.1:8080"), home=tmp_path, prefix=ns.prefix)
    expect(
        record_property,
        diagnosis,
        "loopback interface down, a forward on 127.0.0.1",
        {"loopback-down"},
        hidden={"loopback-address", "port-unreachable"},
    )


def test_without_127_0_0_1_there_are_no_ports(ns, tmp_path, record_property):
    ns.ip("address", "del", "127.0.0.1/8", "dev", "lo")
    diagnosis = run_doctor(*listen_on("127.0.0.1:8080"), home=tmp_path, prefix=ns.prefix)
    expect(
        record_property,
        diagnosis,
        "loopback interface without 127.0.0.1, a forward there",
        {"loopback-without-127"},
        hidden={"loopback-address"},
    )


def test_without_127_0_0_1(ns, tmp_path, record_property):
    ns.ip("address", "del", "127.0.0.1/8", "dev", "lo")
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    fault = "loopback interface without 127.0.0.1"
    hidden = {"loopback-address"}
    expect(record_property, diagnosis, fault, {"loopback-without-127"}, hidden=hidden)
    mend(ns, diagnosis, "loopback-without-127")
    assert run_doctor(home=tmp_path, prefix=ns.prefix).codes() == set()


def test_self_assigned_instead_of_127_0_0_1(ns, tmp_path, record_property):
    ns.ip("address", "del", "127.0.0.1/8", "dev", "lo")
    ns.address("lo", "169.254.3.4/16")
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    expect(
        record_property,
        diagnosis,
        "loopback interface with 169.254.3.4 in the place of 127.0.0.1",
        {"loopback-without-127"},
        hidden={"loopback-link-local", "loopback-address"},
    )
    assert "169.254.3.4 instead" in diagnosis.finding("loopback-without-127")["title"]


def test_self_assigned_beside_127_0_0_1_is_a_note(ns, tmp_path):
    ns.address("lo", "169.254.20.10/32")
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    assert diagnosis.codes() == set()
    assert diagnosis.finding("loopback-link-local")["severity"] == "info"


def test_mtu(ns, tmp_path, record_property):
    ns.ip("link", "set", "lo", "mtu", "1200")
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    expect(record_property, diagnosis, "MTU of loopback 1200", {"loopback-mtu"})
    mend(ns, diagnosis, "loopback-mtu")
    assert run_doctor(home=tmp_path, prefix=ns.prefix).codes() == set()


FILTER = """table inet f {{
 chain in {{
  type filter hook input priority 0
  iif lo {}
 }}
}}
"""
RULES = {"dropped": "meta l4proto tcp drop", "refused": "tcp flags syn reject with tcp reset"}


@pytest.mark.parametrize("how", RULES)
def test_filtered(ns, tmp_path, record_property, how):
    ns.nft(FILTER.format(RULES[how]))
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    expect(
        record_property,
        diagnosis,
        f"loopback traffic {how} by a firewall",
        {"loopback-broken"},
        hidden={"loopback-address"},
    )
    assert how in diagnosis.finding("loopback-broken")["title"]


def test_large_packets_are_filtered(ns, tmp_path, record_property):
    ns.nft(FILTER.format("meta length > 1000 drop"))
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    expect(
        record_property,
        diagnosis,
        "large packets on loopback dropped",
        {"loopback-stalled"},
        hidden={"loopback-address"},
    )


def test_another_program_answers(ns, tmp_path, record_property):
    server = ns.popen(
        "python3",
        "-c",
        "import socket\n"
        "s = socket.create_server(('127.0.0.1', 9999))\nprint('on', flush=True)\n"
        "kept = []\nwhile True: kept.append(s.accept())",
        stdout=-1,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"on\n"
    ns.nft(
        "table ip n {\n chain out {\n  type nat hook output priority -100\n"
        "  ip daddr 127.0.0.1 tcp dport != 9999 redirect to :9999\n }\n}\n"
    )
    diagnosis = run_doctor(home=tmp_path, prefix=ns.prefix)
    fault = "connections to 127.0.0.1 redirected to another program"
    expect(record_property, diagnosis, fault, {"loopback-broken"})
    assert "another program" in diagnosis.finding("loopback-broken")["title"]


# --- addresses of forwards


def test_an_address_of_nobody(ns, tmp_path, record_property):
    diagnosis = run_doctor(*listen_on("192.0.2.1:8080"), home=tmp_path, prefix=ns.prefix)
    fault = "bind address of another machine"
    expect(record_property, diagnosis, fault, {"address-not-available"})
    fix = diagnosis.finding("address-not-available")["fixes"][0]["argv"]
    assert fix[-4:] == ["--bind", "127.0.0.1:8080", "--to", "web:80"]


def test_an_ipv6_address_of_nobody(ns, tmp_path, record_property):
    diagnosis = run_doctor(*listen_on("[::2]:8080"), home=tmp_path, prefix=ns.prefix)
    expect(record_property, diagnosis, "bind address ::2", {"address-not-available"})
    mend(ns, diagnosis, "address-not-available")
    again = run_doctor(*listen_on("[::2]:8080"), home=tmp_path, prefix=ns.prefix)
    assert again.codes() == set()


def test_only_127_0_0_1_as_on_macos(ns, tmp_path, record_property):
    ns.ip("address", "del", "127.0.0.1/8", "dev", "lo")
    ns.address("lo", "127.0.0.1/32")
    quiet = run_doctor(home=tmp_path, prefix=ns.prefix)
    assert quiet.codes() == set()
    assert quiet.finding("loopback-alias-missing")["severity"] == "info"
    diagnosis = run_doctor(*listen_on("127.0.0.2:8080"), home=tmp_path, prefix=ns.prefix)
    expect(record_property, diagnosis, "127.0.0.2 without an alias", {"address-not-available"})
    mend(ns, diagnosis, "address-not-available")
    again = run_doctor(*listen_on("127.0.0.2:8080"), home=tmp_path, prefix=ns.prefix)
    assert again.codes() == set()


def test_ipv6_is_switched_off(ns, tmp_path, record_property):
    ns.sysctl("net.ipv6.conf.lo.disable_ipv6", 1)
    assert run_doctor(home=tmp_path, prefix=ns.prefix).codes() == set()
    text = f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost\n"
    prefix = (*ns.prefix, *with_hosts(tmp_path, text))
    diagnosis = run_doctor(*listen_on("[::1]:8080"), home=tmp_path, prefix=prefix)
    expect(record_property, diagnosis, "bind address ::1 with IPv6 off", {"address-not-available"})
    assert "switched off" in diagnosis.finding("address-not-available")["explain"]
    mend(ns, diagnosis, "address-not-available")
    again = run_doctor(*listen_on("[::1]:8080"), home=tmp_path, prefix=prefix)
    assert again.codes() == set()


def test_link_local_without_its_interface(ns, tmp_path, record_property):
    ns.ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
    ns.ip("link", "set", "cable0", "up")
    ns.address("cable0", "fe80::1/64")
    diagnosis = run_doctor(*listen_on("[fe80::1]:8080"), home=tmp_path, prefix=ns.prefix)
    fault = "link-local bind address without interface"
    expect(record_property, diagnosis, fault, {"address-without-scope"})
    assert "fe80::1%cable0" in diagnosis.finding("address-without-scope")["title"]


def test_a_bind_name_that_nobody_knows(ns, tmp_path, record_property):
    diagnosis = run_doctor(*listen_on("nobody.invalid:8080"), home=tmp_path, prefix=ns.prefix)
    expect(record_property, diagnosis, "bind address an unknown name", {"bind-name-unknown"})


# --- localhost


def test_localhost_is_missing(ns, tmp_path, record_property):
    prefix = (*ns.prefix, *with_hosts(tmp_path, f"127.0.1.1 {HOSTNAME}\n"))
    diagnosis = run_doctor(home=tmp_path, prefix=prefix)
    expect(record_property, diagnosis, "localhost not in /etc/hosts", {"localhost-unknown"})


def test_localhost_is_another_machine(ns, tmp_path, record_property):
    text = f"127.0.1.1 {HOSTNAME}\n192.168.7.5 localhost\n"
    prefix = (*ns.prefix, *with_hosts(tmp_path, text))
    diagnosis = run_doctor(home=tmp_path, prefix=prefix)
    fault = "localhost a LAN address in /etc/hosts"
    expect(record_property, diagnosis, fault, {"localhost-elsewhere"})
    fix = diagnosis.finding("localhost-elsewhere")["fixes"][0]["argv"]
    copy = tmp_path / "hosts"
    ns.run(*fix[1:-1], str(copy))  # as it would be done to /etc/hosts
    assert copy.read_text() == f"127.0.1.1 {HOSTNAME}\n127.0.0.1 localhost\n"
    again = run_doctor(home=tmp_path, prefix=(*ns.prefix, *with_hosts(tmp_path, copy.read_text())))
    assert again.codes() == set()


def test_the_hosts_file_is_not_asked(ns, tmp_path, record_property):
    prefix = (*ns.prefix, *with_file(tmp_path, "/etc/nsswitch.conf", "hosts: dns\n"))
    diagnosis = run_doctor(home=tmp_path, prefix=prefix)
    expect(
        record_property,
        diagnosis,
        "nsswitch.conf without files",
        {"hosts-file-ignored"},
        hidden={"localhost-unknown"},
    )


def test_localhost_in_the_other_family(ns, tmp_path, record_property):
    prefix = (*ns.prefix, *with_hosts(tmp_path, f"::1 localhost\n127.0.1.1 {HOSTNAME}\n"))
    diagnosis = run_doctor(*listen_on("127.0.0.1:8080"), home=tmp_path, prefix=prefix)
    fault = "localhost is ::1 alone, the forward on 127.0.0.1"
    expect(record_property, diagnosis, fault, {"localhost-other-family"})


def test_the_own_name_is_another_machine(ns, tmp_path, record_property):
    text = f"127.0.0.1 localhost\n192.168.7.5 {HOSTNAME}\n"
    prefix = (*ns.prefix, *with_hosts(tmp_path, text))
    diagnosis = run_doctor(home=tmp_path, prefix=prefix)
    expect(record_property, diagnosis, "own host name a stale address", {"own-name-elsewhere"})


@pytest.mark.parametrize(
    "junk", [b"\0" * 5000 + b"\n", b"\xff\xfe\n" * 200_000, b"0.0.0.0 a.example\n" * 60_000]
)
def test_a_hosts_file_full_of_junk(ns, tmp_path, junk):
    prefix = with_hosts(tmp_path, "")
    good = f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME}\n".encode()
    (tmp_path / "hosts").write_bytes(good + junk)
    diagnosis = run_doctor(home=tmp_path, prefix=(*ns.prefix, *prefix))
    assert diagnosis.codes() == set()
    assert diagnosis.status("localhost") == "ran"


def test_a_minimal_container_is_healthy(ns, tmp_path):
    ns.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    prefix = (*ns.prefix, *with_hosts(tmp_path, "127.0.0.1 localhost\n"))
    diagnosis = run_doctor(home=tmp_path, prefix=prefix)
    assert diagnosis.codes() == set()
    assert diagnosis.code == 0


def test_a_proxy_swallows_localhost(tmp_path, record_property):
    env = {"HTTP_PROXY": "http://me:secret@192.0.2.9:3128"}
    diagnosis = run_doctor(home=tmp_path, env=env)
    fault = "HTTP_PROXY without NO_PROXY"
    expect(record_property, diagnosis, fault, {"proxy-swallows-loopback"})
    assert "secret" not in str(diagnosis.document)
    env["NO_PROXY"] = (
        diagnosis.finding("proxy-swallows-loopback")["fixes"][0]["argv"][-1]
        .split()[2]
        .removeprefix("NO_PROXY=")
    )
    assert run_doctor(home=tmp_path, env=env).codes() == set()
