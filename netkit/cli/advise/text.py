"""Advice as text and as JSON; pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netkit.advise.choose import drawback
from netkit.advise.model import GATEWAY, HERE, Advice, Recipe, System, Technology
from netkit.cli.advise.check import ABSENT, BROKEN, READ, Checked
from netkit.model import Fix

SCHEMA_VERSION = 1
_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What there is to show.

    Attributes:
        advice: the verdicts.
        technology: the one whose recipe is meant; None: none fits.
        assumed: what nobody said.
        missing: options that its files still need.
        recipe: with placeholders in the place of keys.
        checked: what became of its files.
        folder: where they were written; empty: nowhere.
        told: whether the advice itself was shown before.
    """

    advice: Advice
    technology: Technology | None
    assumed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    recipe: Recipe | None = None
    checked: tuple[Checked, ...] = ()
    folder: str = ""
    told: bool = False


def lines(shown: Shown) -> Iterator[str]:
    """Yield the lines for a person."""
    if not shown.told:
        yield from _headline(shown)
        yield from _others(shown)
    recipe = shown.recipe
    if recipe is None:
        if shown.missing:
            yield ""
            yield f"For its files and commands say also: {', '.join(shown.missing)}"
        return
    for warning in recipe.warnings:
        yield ""
        yield from _wrapped("!! ", warning)
    yield from _files(shown, recipe)
    answers = shown.advice.answers
    windows = {
        side
        for side, system in ((HERE, answers.here), (GATEWAY, answers.gateway))
        if system is System.WINDOWS
    }
    yield from _steps("Do", recipe.steps, windows)
    yield from _steps("Undo", recipe.undo, windows)
    for note in recipe.notes:
        yield from _wrapped("note: ", note)


def _headline(shown: Shown) -> Iterator[str]:
    if shown.technology is None:
        yield f"Nothing fits: {shown.advice.answers.need.text}."
    else:
        verdict = shown.advice.of(shown.technology)
        yield from _wrapped(f"{shown.technology.title}: ", verdict.why)
    if shown.assumed:
        yield from _wrapped("assumed: ", "; ".join(shown.assumed))


def _others(shown: Shown) -> Iterator[str]:
    others = [each for each in shown.advice.verdicts if each.technology is not shown.technology]
    fitting = [each for each in others if each.fits]
    lacking = [each for each in others if not each.fits]
    if fitting:
        yield ""
        yield "Would do as well, but:"
        for each in fitting:
            yield from _wrapped(f"  {each.technology.title}: ", drawback(each.technology))
    if lacking:
        yield ""
        yield "Do not fit:"
        for each in lacking:
            yield from _wrapped(f"  {each.technology.title}: ", "; ".join(each.lacks))


def _files(shown: Shown, recipe: Recipe) -> Iterator[str]:
    results = {each.path: each for each in shown.checked}
    for file in recipe.files:
        yield ""
        yield f"---- {file.path} -> {file.install}" + (
            "   (a key is in it)" if file.private else ""
        )
        if not shown.folder:
            yield from file.text.rstrip("\n").splitlines()
        if file.path in results:
            yield from _wrapped("     ", check_line(results[file.path]))
    if shown.folder:
        yield ""
        yield f"Written to {shown.folder}, readable by you alone; README.txt there has the steps."
    elif any(file.private for file in recipe.files):
        yield ""
        yield "Keys are made when the files are written: --write FOLDER"


def check_line(checked: Checked) -> str:
    """Return what may be claimed of a file."""
    if checked.result == READ:
        return f"checked: {checked.program} reads it ({checked.detail})"
    if checked.result == ABSENT:
        return f"not checked: {checked.program} is not installed here"
    if checked.result == BROKEN:
        return f"BROKEN: {checked.program}: {checked.detail}"
    return f"not checked: {checked.detail}"


def _steps(title: str, steps: tuple[Fix, ...], windows: set[str]) -> Iterator[str]:
    """Yield commands under the machine they run on, in order; a command is never wrapped."""
    where = ""
    for step in steps:
        if step.where != where:
            where = step.where
            yield ""
            yield f"{title}, {'on the gateway' if where == GATEWAY else 'on this machine'}:"
        yield f"  {step_line(step, windows=step.where in windows)}"


def step_line(step: Fix, *, windows: bool = False) -> str:
    """Return a step as a command with what else to know; the machine is said above it."""
    if not step.argv:
        return step.note
    rights = ""
    if windows:
        command = " ".join(f'"{word}"' if " " in word else word for word in step.argv)
        rights = "as administrator" if step.needs_admin else ""
    else:
        command = f"sudo {step.command}" if step.needs_admin else step.command
    said = "; ".join(note for note in (step.note, rights) if note)
    return f"{command}   ({said})" if said else command


def _wrapped(start: str, text: str) -> Iterator[str]:
    indent = " " * (len(start) if len(start) < 12 else 4)
    yield from textwrap.wrap(
        start + text,
        _WIDTH,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
        drop_whitespace=True,
    )


def document(shown: Shown) -> dict[str, Any]:
    """Return the same for a program; no key is in it."""
    advice = shown.advice
    return {
        "schema_version": SCHEMA_VERSION,
        "need": advice.answers.need.value,
        "technology": shown.technology.value if shown.technology is not None else None,
        "assumed": list(shown.assumed),
        "verdicts": [
            {
                "technology": each.technology.value,
                "title": each.technology.title,
                "fits": each.fits,
                "why": each.why,
                "drawback": drawback(each.technology),
                "lacks": list(each.lacks),
            }
            for each in advice.verdicts
        ],
        "missing": list(shown.missing),
        "recipe": None if shown.recipe is None else _recipe(shown.recipe),
        "checked": [
            {
                "path": each.path,
                "program": each.program,
                "result": each.result,
                "detail": each.detail,
            }
            for each in shown.checked
        ],
        "written": shown.folder or None,
    }


def _recipe(recipe: Recipe) -> dict[str, Any]:
    return {
        "files": [
            {
                "path": file.path,
                "install": file.install,
                "private": file.private,
                "text": file.text,
            }
            for file in recipe.files
        ],
        "steps": [_step(step) for step in recipe.steps],
        "undo": [_step(step) for step in recipe.undo],
        "notes": list(recipe.notes),
        "warnings": list(recipe.warnings),
    }


def _step(step: Fix) -> dict[str, Any]:
    return {
        "where": step.where,
        "argv": list(step.argv),
        "admin": step.needs_admin,
        "note": step.note,
    }
