"""Can we log in to the gateway, and if not, at which stage and why does it end."""

from __future__ import annotations

from diagnostics.model import (
    Check,
    Effect,
    Evidence,
    Finding,
    Judgement,
    Kind,
    Target,
    with_gateway,
)
from diagnostics.parsers.text import clean
from diagnostics.ssh import Login
from diagnostics.system import System
from netkit.model import Fix

STAGES = {
    "none": "gateway-config-wrong",
    "tcp": "gateway-not-reached",
    "banner": "gateway-is-no-ssh-server",
    "kex": "gateway-algorithms-differ",
    "host-key": "gateway-host-key-refused",
    "auth": "gateway-login-refused",
}
"""The stage at which a login ended, and the code that says so."""


def probe(_target: Target, system: System) -> Login:
    """Log in, or learn how far it got."""
    login = system.ssh.login()
    if login.stage != "none" or login.error:
        return login
    route = system.ssh.route()
    return Login(error_code=route.error_code, error=route.error, cause=route.cause)


def judge(login: Login) -> tuple[Judgement, ...]:
    """Return why the login ended; nothing where it succeeded."""
    if login.done:
        return ()
    evidence = [Evidence("stage", login.stage), Evidence("netkit's code", login.error_code)]
    if login.server:
        evidence.append(Evidence("server", clean(login.server)))
    if login.methods:
        evidence.append(Evidence("methods offered", clean(", ".join(login.methods))))
    evidence += [
        Evidence(clean(each.what), clean(f"{each.method}: {each.why}"))
        for each in login.attempts[:16]
    ]
    return (
        Finding(
            code=STAGES.get(login.stage, "gateway-login-refused"),
            subject=clean(login.hop),
            title=clean(login.error or "the gateway could not be logged in to", 500),
            explain=clean(login.cause, 500),
            evidence=tuple(evidence),
            fixes=(
                Fix(
                    ("netkit", "forward", "...", "--debug"),
                    note="shows each step, and names the command that mends it",
                ),
            ),
        ),
    )


CHECK = Check(
    code="gateway-login",
    title="the login to the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind("gateway-config-wrong", "the way to the gateway cannot be planned"),
        Kind("gateway-not-reached", "no connection to the gateway"),
        Kind("gateway-is-no-ssh-server", "what answers is no usable SSH server"),
        Kind("gateway-algorithms-differ", "the key exchange failed"),
        Kind("gateway-host-key-refused", "the host key is unknown, changed or revoked"),
        Kind("gateway-login-refused", "none of our credentials was accepted"),
    ),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=60.0,
    applies=with_gateway,
)
