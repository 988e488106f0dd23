"""Logging for the command line: silent, unless ``--debug`` is given; as text or as JSON lines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import click

from netkit.cli.render import clean_text

_META = "netkit.debug"
_META_HANDLER = "netkit.debug-handler"
_META_JSON = "netkit.log-json"
_LEVELS = {"netkit": logging.DEBUG, "paramiko": logging.INFO}


class _Formatter(logging.Formatter):
    """Formats a record without the control characters a peer may have put into it."""

    def format(self, record: logging.LogRecord) -> str:
        return clean_text(super().format(record))


class _JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, with a traceback where it has one."""

    def format(self, record: logging.LogRecord) -> str:
        more = {"exception": self.formatException(record.exc_info)} if record.exc_info else {}
        return json_line(
            record.levelname.lower(),
            record.getMessage(),
            logger=record.name,
            when=record.created,
            **more,
        )


def json_line(
    level: str, message: str, *, logger: str = "netkit", when: float | None = None, **more: Any
) -> str:
    """Return one line of a log in JSON; ``when`` is in seconds since 1970, now by default."""
    moment = datetime.now(UTC) if when is None else datetime.fromtimestamp(when, UTC)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {"time": stamp, "level": level, "logger": logger, "message": message, **more}, default=str
    )


def _remember_format(ctx: click.Context, _param: click.Parameter, value: str) -> str:
    root = ctx.find_root()
    if value == "json" and not ctx.resilient_parsing:
        root.meta[_META_JSON] = True
        if handler := root.meta.get(_META_HANDLER):
            handler.setFormatter(_JsonFormatter())
    return value


log_format_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    is_eager=True,
    callback=_remember_format,
    help="How what is said on standard error looks (default: text).",
)


def enable(ctx: click.Context) -> None:
    """Log to standard error until the outermost context closes."""
    root = ctx.find_root()
    if is_enabled(root):
        return
    root.meta[_META] = True
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(relativeCreated)7d ms %(name)s: %(message)s"))
    if root.meta.get(_META_JSON):
        handler.setFormatter(_JsonFormatter())
    root.meta[_META_HANDLER] = handler
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
