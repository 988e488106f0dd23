"""Reports and strategies for them, for the tests of what shows them."""

from __future__ import annotations

from hypothesis import strategies as st

from diagnostics.model import (
    Check,
    Confidence,
    Evidence,
    Finding,
    Hidden,
    Kind,
    Report,
    Result,
    Severity,
    Status,
    Target,
    Unknown,
)
from netkit.model import Endpoint, Fix, ForwardKind, ForwardSpec

ALIAS = Fix(
    ("sudo", "ifconfig", "lo0", "alias", "127.0.0.2", "up"),
    needs_admin=True,
    undo=("sudo", "ifconfig", "lo0", "-alias", "127.0.0.2"),
)
OTHER = Fix(("netkit", "forward", "...", "-L", "127.0.0.1:3390:ts:3389"))
FINDING = Finding(
    code="address-not-available",
    subject="127.0.0.2",
    title="127.0.0.2 is no address of this machine",
    explain="macOS configures 127.0.0.1 alone.",
    evidence=(Evidence("bind 127.0.0.2:0", "EADDRNOTAVAIL"),),
    fixes=(ALIAS, OTHER),
)
FORWARD = ForwardSpec(
    ForwardKind.LOCAL, Endpoint("127.0.0.2", 3389), Endpoint("ts", 3389), "--bind 127.0.0.2:3389"
)


def check(code: str = "loopback-address", *found: str) -> Check:
    """Return a check that is never run."""
    return Check(
        code=code,
        title="the address asked for",
        probe=lambda _target, _system: None,
        judge=lambda _facts: (),
        finds=tuple(Kind(each, "") for each in found),
    )


def result(*findings: Finding, status: Status = Status.RAN, **more) -> Result:
    """Return a result of that check."""
    return Result(check=check(), status=status, findings=findings, **more)


def report(*results: Result, **more) -> Report:
    """Return a report on Linux."""
    return Report(results=results, os="linux", **more)


TEXT = st.text(max_size=30)
CODE = st.sampled_from(["port-taken", "a", "x11-no-cookie"])
FIXES = st.lists(
    st.builds(Fix, st.tuples(TEXT), TEXT, TEXT, st.booleans(), st.booleans(), st.tuples(TEXT)),
    max_size=2,
).map(tuple)
FINDINGS = st.builds(
    Finding,
    code=CODE,
    title=TEXT,
    severity=st.sampled_from(Severity),
    subject=TEXT,
    explain=TEXT,
    evidence=st.lists(st.builds(Evidence, TEXT, TEXT), max_size=2).map(tuple),
    fixes=FIXES,
    confidence=st.sampled_from(Confidence),
)
UNKNOWNS = st.builds(Unknown, reason=TEXT, subject=TEXT, fixes=FIXES)
RESULTS = st.builds(
    Result,
    check=st.builds(check, CODE),
    status=st.sampled_from(Status),
    reason=TEXT,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    unknowns=st.lists(UNKNOWNS, max_size=2).map(tuple),
    seconds=st.floats(0, 100),
)
REPORTS = st.builds(
    Report,
    results=st.lists(RESULTS, max_size=3).map(tuple),
    hidden=st.lists(
        st.builds(Hidden, what=CODE, check=CODE, cause=CODE, subject=TEXT), max_size=2
    ).map(tuple),
    target=st.builds(Target, gateway=TEXT, forwards=st.just((FORWARD,)), protocol=TEXT),
    os=TEXT,
    seconds=st.floats(0, 100),
    interrupted=st.booleans(),
)
