from __future__ import annotations

import io
import logging

import click
import pytest

from netkit.cli import debugging


@pytest.fixture
def log(monkeypatch):
    return io.StringIO()


def use(monkeypatch, stream):
    monkeypatch.setattr("sys.stderr", stream)


def test_enable_logs_until_the_context_closes(monkeypatch, log):
    use(monkeypatch, log)
    logger = logging.getLogger("netkit.link")
    with click.Context(click.Command("x")) as context:
        assert not debugging.is_enabled(context)
        debugging.enable(context)
        debugging.enable(context)
        assert debugging.is_enabled(context)
        logger.debug("key \x1b[2J%s", "exchange")
    logger.debug("later")
    assert log.getvalue().count("\n") == 1
    assert log.getvalue().rstrip().endswith("ms netkit.link: key ?[2Jexchange")
    assert logging.getLogger("netkit").level == logging.NOTSET


def test_the_flag_counts_for_the_outermost_context():
    with click.Context(click.Command("x")) as root:
        child = click.Context(click.Command("y"), parent=root)
        debugging.enable(child)
        assert debugging.is_enabled(root)


def test_without_debug_libraries_are_silent(monkeypatch, log):
    use(monkeypatch, log)
    debugging.keep_quiet()
    debugging.keep_quiet()
    logger = logging.getLogger("paramiko.transport")
    logger.warning("Oops, unhandled type 3")
    assert log.getvalue() == ""
    assert (
        sum(isinstance(h, logging.NullHandler) for h in logging.getLogger("paramiko").handlers) == 1
    )
