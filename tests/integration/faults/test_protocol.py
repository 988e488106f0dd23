"""Protocols that a tunnel does not carry, asked about by name or by the port of a forward."""

from __future__ import annotations

import pytest

from support.doctor import ROWS, Diagnosis, expect, run_doctor

NAMED = {
    "sip": "protocol-udp",
    "tftp": "protocol-udp",
    "ftp": "protocol-more-connections",
    "dcom": "protocol-more-connections",
    "mongodb": "protocol-redirects",
    "ping": "protocol-no-tcp",
}
PORTS = {
    21: ("protocol-more-connections", "info"),
    135: ("protocol-more-connections", "warning"),
    5060: ("protocol-udp", "warning"),
    27017: ("protocol-redirects", "info"),
}
"""Ports whose protocol cannot be used at all are warned of; the others can, if one knows how."""


def forward(home, port: int) -> Diagnosis:
    words = ("--for", "forward", "--bind", "127.0.0.1:28080", "--to", f"server:{port}")
    return run_doctor(*words, home=home)


@pytest.mark.parametrize("name", NAMED)
def test_by_name(tmp_path, record_property, name):
    diagnosis = run_doctor("--for", name, home=tmp_path)
    expect(record_property, diagnosis, f"{name} through a tunnel", {NAMED[name]})
    finding = diagnosis.finding(NAMED[name])
    assert finding["fixes"], "says what to do instead"
    assert finding["explain"]


@pytest.mark.parametrize("name", ["ssh", "http", "rdp", "smb"])
def test_what_passes_is_fine(tmp_path, name):
    diagnosis = run_doctor("--for", name, home=tmp_path)
    assert diagnosis.codes("info") - {"no-network", "no-default-route"} == set()
    assert diagnosis.finding("protocol-passes")["severity"] == "ok"
    assert diagnosis.code == 0


@pytest.mark.parametrize("port", PORTS)
def test_by_port(tmp_path, record_property, port):
    diagnosis = forward(tmp_path, port)
    code, severity = PORTS[port]
    assert diagnosis.finding(code)["severity"] == severity
    assert diagnosis.finding(code)["subject"] == f"server:{port}"
    if severity == "warning":
        expect(record_property, diagnosis, f"a forward to port {port}", {code})
    else:
        assert diagnosis.codes() == set()
        record_property(ROWS, f"a forward to port {port} -> {code} (info) -> -")


@pytest.mark.parametrize("port", [22, 80, 445, 3389])
def test_ports_that_pass_are_fine(tmp_path, port):
    diagnosis = forward(tmp_path, port)
    assert diagnosis.codes() == set()
    assert not {code for code in diagnosis.codes("info") if code.startswith("protocol")}


def test_an_unknown_protocol_is_wrong_usage(tmp_path):
    assert run_doctor("--for", "sipp", home=tmp_path).code == 2
