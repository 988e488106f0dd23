from hypothesis import given
from hypothesis import strategies as st

from diagnostics.knowledge.protocol_types import Passes
from diagnostics.knowledge.protocols import NAMES, TABLE, by_name, by_port


def test_names_are_unique_and_can_be_typed():
    assert len(NAMES) == len(set(NAMES))
    assert list(NAMES) == sorted(NAMES)
    assert "forward" not in NAMES
    for name in NAMES:
        assert name == name.lower()
        assert name.replace("-", "").isalnum()


def test_by_name():
    assert by_name("FTP").title == "FTP"
    assert by_name("nothing") is None


def test_by_port_knows_the_difficult_ones_alone():
    assert by_port(21).names[0] == "ftp"
    assert by_port(80) is None
    assert by_port(1) is None


def test_ports_are_unique():
    ports = [port for each in TABLE if each.passes is not Passes.YES for port in each.ports]
    assert len(ports) == len(set(ports))
    assert all(0 < port < 65536 for port in ports)


@given(st.text(), st.integers())
def test_is_total(name, port):
    by_name(name)
    by_port(port)
