"""The shape of the house: one test file per source file, small files, nothing of one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
PACKAGES = ("netkit", "diagnostics")
MAX_LINES = 450

# Only a constant, which --version and the packaging read.
WITHOUT_TEST = {"netkit/_version.py"}

TOP_LEVEL = [
    *(".ci", ".gitignore", "Makefile", "pyproject.toml", "constraints.txt", "LICENSE"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "docs"),
    *("netkit", "diagnostics", "tests", "bench"),
]

# Where this checkout and the Python under it happen to live.
MACHINE_PATHS = [
    f"{path}/"
    for path in (ROOT.as_posix(), Path(sys.base_prefix).as_posix())
    if path not in {"/usr", "/usr/local"}
]

TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".sh", ".json", ".yml", ""}


def sources(package: str) -> list[Path]:
    """Return the package's modules that want a test file, relative to the repository."""
    found = (path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))
    return sorted(
        path for path in found if path.name != "__init__.py" and path.as_posix() not in WITHOUT_TEST
    )


def mirror_of(source: Path) -> Path:
    """``netkit/text/endpoints.py`` -> ``tests/netkit/text/test_endpoints.py``."""
    return Path("tests") / source.parent / f"test_{source.stem.strip('_')}.py"


ALL_SOURCES = list(chain.from_iterable(sources(package) for package in PACKAGES))


def committed_files() -> list[Path]:
    """Return every text file of the project."""
    return [
        path
        for top in TOP_LEVEL
        for path in ([ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*"))
        if path.is_file() and path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts
    ]


def test_top_level_is_complete():
    """Whoever adds a file there finds out that the checks below have to see it."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        assert {line.split("/")[0] for line in listed.splitlines()} <= set(TOP_LEVEL)
    assert all((ROOT / top).exists() for top in TOP_LEVEL)


def test_there_is_something_to_check():
    assert len(ALL_SOURCES) > 5
    assert ROOT / "Makefile" in committed_files()


@pytest.mark.parametrize("source", ALL_SOURCES, ids=Path.as_posix)
def test_source_has_a_test_file(source: Path):
    assert (ROOT / mirror_of(source)).is_file(), f"{source} wants {mirror_of(source)}"


def test_every_test_file_has_a_source():
    """A further file about the same source adds a word: ``test_proxy_curl.py``."""
    stems = [mirror_of(source).with_suffix("").as_posix() for source in ALL_SOURCES]
    found = [
        path.relative_to(ROOT).with_suffix("").as_posix()
        for package in PACKAGES
        for path in (TESTS / package).rglob("test_*.py")
    ]
    lost = [
        name
        for name in found
        if not any(name == stem or name.startswith(f"{stem}_") for stem in stems)
    ]
    assert not lost, f"tests of nothing: {lost}"


@pytest.mark.parametrize("source", ALL_SOURCES, ids=Path.as_posix)
def test_source_is_small(source: Path):
    lines = len((ROOT / source).read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, f"{source} has {lines} lines and wants to be two"


def test_tests_are_no_packages():
    """``tests/netkit`` must not shadow ``netkit``."""
    assert not list(TESTS.rglob("__init__.py"))


def test_packages_are_marked_as_typed():
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file()


def test_no_path_of_this_machine():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in committed_files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if any(machine_path in line for machine_path in MACHINE_PATHS)
    ]
    assert not found, "\n".join(found)


def test_constraints_pin_names_only():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins == sorted(pins, key=str.lower)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", pin) for pin in pins)
