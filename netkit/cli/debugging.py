"""Logging for the command line: silent, unless ``--debug`` is given."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from netkit.cli.render import clean_text

if TYPE_CHECKING:
    import click

_META = "netkit.debug"
_LEVELS = {"netkit": logging.DEBUG, "paramiko": logging.INFO}


class _Formatter(logging.Formatter):
    """Formats a record without the control characters a peer may have put into it."""

    def format(self, record: logging.LogRecord) -> str:
        return clean_text(super().format(record))


def enable(ctx: click.Context) -> None:
    """Log to standard error until the outermost context closes."""
    root = ctx.find_root()
    if is_enabled(root):
        return
    root.meta[_META] = True
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(relativeCreated)7d ms %(name)s: %(message)s"))
    for name, level in _LEVELS.items():
        logger = logging.getLogger(name)
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(level)
        root.call_on_close(lambda logger=logger, before=before: _restore(logger, handler, before))


def _restore(logger: logging.Logger, handler: logging.Handler, level: int) -> None:
    logger.removeHandler(handler)
    logger.setLevel(level)


def is_enabled(ctx: click.Context) -> bool:
    """Return whether ``--debug`` was given."""
    return bool(ctx.find_root().meta.get(_META))


def keep_quiet() -> None:
    """Keep warnings of the libraries off standard error; errors reach the user as errors."""
    for name in _LEVELS:
        logger = logging.getLogger(name)
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
