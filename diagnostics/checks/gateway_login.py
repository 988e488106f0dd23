"""Can we log in to the gateway, and if not, why did each of our credentials fail."""

from __future__ import annotations

from diagnostics import login_refusals as r
from diagnostics.approach import LOGIN_TIME, Approach, look, not_reached, standing
from diagnostics.login_advice import Refusal, advise
from diagnostics.login_refusals import causes, kind_of, sort_out
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
from diagnostics.system import System

_MOST = 16
_KEY_ENDINGS = (".pem", ".ppk", ".key")
_NO_KEYS = (".pub", ".old", ".bak")


def probe(target: Target, system: System) -> Refusal:
    """Log in, or learn how far that gets; look for keys that nobody named where it failed."""
    approach = look(target, system)
    if standing(approach.login, "auth") != 0:
        return Refusal(approach)
    directory = f"{system.account().home}/.ssh"
    names = system.list_dir(directory)
    found = [
        f"{directory}/{name}"
        for name in names
        if not name.endswith(_NO_KEYS) and (name.endswith(_KEY_ENDINGS) or f"{name}.pub" in names)
    ]
    tried = approach.hop.identities
    return Refusal(approach, tuple(path for path in found if path not in tried)[:_MOST])


def judge(refusal: Refusal) -> tuple[Judgement, ...]:
    """Return why the login was refused; nothing where it succeeded."""
    login = refusal.approach.login
    where = standing(login, "auth")
    if where > 0:
        return ()
    if where < 0 or login.error_code == "cancelled":
        return (not_reached(refusal.approach),)
    tried = sort_out(login.attempts)
    kind = kind_of(login, tried)
    advice = advise(kind, refusal, tried)
    return (
        Finding(
            code=kind,
            subject=refusal.approach.where,
            title=advice.title,
            explain=advice.explain,
            evidence=_evidence(refusal.approach),
            fixes=advice.fixes,
            confidence=advice.confidence,
            caused_by=causes(kind, login, tried),
        ),
    )


def _evidence(approach: Approach) -> tuple[Evidence, ...]:
    login = approach.login
    seen = [
        Evidence("logs in as", clean(approach.hop.user, 60) or "nobody"),
        Evidence("it offers", clean(", ".join(login.methods)) or "nothing"),
    ]
    seen += [Evidence(clean(each.what), clean(each.why)) for each in login.attempts[:_MOST]]
    return (*seen, Evidence("netkit says", clean(approach.detail, 500)))


CHECK = Check(
    code="gateway-login",
    title="the login to the gateway",
    probe=probe,
    judge=judge,
    finds=(
        Kind(r.NOT_AUTHORIZED, "the gateway does not accept our key"),
        Kind(r.NO_KEY, "there is no key to offer"),
        Kind(r.PASSWORD_ONLY, "the gateway takes no keys, and nobody could answer"),
        Kind(r.METHOD, "the gateway wants a method that netkit cannot do"),
        Kind(r.WRONG_PASSWORD, "the password is refused"),
        Kind(r.EXPIRED, "the password has to be changed first"),
        Kind(r.TOO_MANY, "too many keys were offered before the right one"),
        Kind(r.LOCKED, "the key has a passphrase, no agent holds it, nobody was asked"),
        Kind(r.PASSPHRASE, "the passphrase of the key is wrong"),
        Kind(r.UNUSABLE, "none of the keys can be used"),
        Kind(r.FACTOR, "the gateway wants one more factor"),
        Kind(r.WOULD_NOT_SIGN, "the agent did not sign with a key that would be accepted"),
        Kind(r.OLD_RSA, "the gateway takes RSA keys only with SHA-1"),
        Kind(r.UNANSWERED, "a question of the gateway was not answered"),
        Kind(r.CUT, "the gateway ended the connection during the login"),
        Kind(r.TIMED_OUT, "the gateway did not answer a login request in time"),
        Kind(r.FAILED, "the login failed in another way"),
    ),
    depends_on=("gateway-host-key",),
    effects=(Effect.CONNECTS, Effect.LOGS_IN),
    timeout=LOGIN_TIME,
    applies=with_gateway,
)
