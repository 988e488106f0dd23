"""What to say and to advise for each way in which a login fails.  Pure and total."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from diagnostics import login_refusals as r
from diagnostics import remedies
from diagnostics.approach import Approach
from diagnostics.login_refusals import Tried
from diagnostics.model import Confidence
from diagnostics.parsers.login_words import Credential
from diagnostics.parsers.text import clean
from netkit.model import Fix


@dataclass(frozen=True, slots=True)
class Refusal:
    """How far the login got; ``others`` are key files in ~/.ssh that are not tried."""

    approach: Approach
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """The words and commands of a finding."""

    title: str
    explain: str
    fixes: tuple[Fix, ...] = ()
    confidence: Confidence = Confidence.CERTAIN


def advise(kind: str, refusal: Refusal, tried: Tried) -> Advice:
    """Return what to say about ``kind``, a code of `diagnostics.login_refusals`."""
    return _TEXTS.get(kind, _failed)(refusal, tried)


def _takes_secret(approach: Approach) -> bool:
    return bool(r.SECRETS & set(approach.login.methods))


def _show_key(key: Credential) -> str:
    place = f"{key.label} in the agent" if key.in_agent else key.label
    return f"{place} ({key.key_type} {key.fingerprint})" if key.fingerprint else place


def _log(note: str = "its log says why") -> Fix:
    unit = "journalctl -u ssh -u sshd -n 30 --no-pager"
    return Fix(("sudo", "sh", "-c", unit), where="gateway", needs_admin=True, note=note)


def _password(approach: Approach) -> Fix:
    return Fix(
        ("netkit", "doctor", approach.typed, "--password-stdin"),
        note="reads the password from standard input; on a terminal it is asked for",
    )


def _not_authorized(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    user, keys = clean(approach.hop.user, 60) or "nobody", tried.refused
    own = next((key for key in keys if not key.in_agent), keys[0])
    more = f" nor {len(keys) - 1} more" if len(keys) > 1 else ""
    same = " That is your name on this machine; another one goes before the @." * (
        bool(user) and approach.hop.user == approach.user
    )
    root = " root may be shut out altogether (PermitRootLogin)." * (user == "root")
    return Advice(
        f"{approach.name} does not accept the key {_show_key(own)} for {user}{more}",
        f"Its public half is not in ~{user}/.ssh/authorized_keys there, others can write that file "
        f"or its directories (StrictModes), or the user is another one.{same}{root}",
        (*_authorize(approach, own), _log()),
        Confidence.LIKELY,
    )


def _authorize(approach: Approach, key: Credential) -> tuple[Fix, ...]:
    """Return how the public half of ``key`` gets onto the gateway."""
    hop, file = approach.hop, "" if key.in_agent else key.label
    private = Fix(
        ("sh", "-c", "chmod go-w ~ && chmod 700 ~/.ssh && chmod 600 ~/.ssh/authorized_keys"),
        where="gateway",
        persistent=True,
        note=f"as {clean(hop.user, 60)}: sshd ignores the file while others can write it",
    )
    if _takes_secret(approach):
        return (remedies.install_key(hop, file, approach.os), private)
    show = ("ssh-keygen", "-y", "-f", file) if file else ("ssh-add", "-L")
    note = "prints the line that its administrator has to add to authorized_keys there"
    return (Fix(show, note=note), private)


def _no_key(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    hint = f" There is {clean(facts.others[0], 200)}, which nobody named." if facts.others else ""
    agent = f" The SSH agent could not be asked: {clean(tried.agent)}." if tried.agent else ""
    fixes = [Fix(("netkit", "doctor", approach.typed, "-i", each)) for each in facts.others[:3]]
    if not facts.others:
        fixes.append(remedies.new_key())
        if _takes_secret(approach):
            fixes.append(remedies.install_key(approach.hop, "", approach.os))
    if _takes_secret(approach):
        fixes.append(_password(approach))
    return Advice(
        f"There is no key to offer to {approach.name}",
        "It takes keys, but there are none in the usual places, ssh_config names none, and no "
        f"agent holds one.{hint}{agent}",
        tuple(fixes),
    )


def _password_only(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    listed = clean(", ".join(approach.login.methods), 200)
    return Advice(
        f"{approach.name} takes no keys, only {listed}, and nobody was there to answer",
        "Run it on a terminal, or hand the password in. Tunnels that start by themselves need a "
        "key, which its sshd has to allow.",
        (
            _password(approach),
            remedies.sshd_setting("keys", "PubkeyAuthentication yes", note="allows keys"),
        ),
    )


def _method(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    listed = clean(", ".join(approach.login.methods), 200) or "nothing"
    ours = clean(", ".join(approach.hop.auth_methods), 200)
    return Advice(
        f"{approach.name} lets in only by {listed}, which netkit cannot do",
        f"netkit is allowed {ours or 'nothing'} here. GSSAPI and host-based logins need ssh "
        "itself, or the gateway has to offer another method.",
        (
            remedies.ssh(approach.hop, "-v", note="shows whether ssh gets in"),
            remedies.sshd_setting("keys", "PubkeyAuthentication yes", note="allows keys"),
        ),
    )


def _wrong_password(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    user = clean(approach.hop.user, 60) or "nobody"
    return Advice(
        f"{approach.name} refuses the password for {user}",
        "It is mistyped, expired, or the account is locked or another one. After a few failures "
        "many servers turn an address away for a while.",
        (_password(approach), _log()),
        Confidence.LIKELY,
    )


def _expired(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    return Advice(
        f"{approach.name} wants the password changed before it lets anybody in",
        "It has expired. ssh asks for the old one and twice for the new one.",
        (remedies.ssh(approach.hop, note="asks for the new password"),),
    )


def _too_many(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    count = len(tried.refused)
    own = next(iter((*approach.hop.identities, *facts.others)), "")
    return Advice(
        f"{approach.name} hung up after {count or 'too many'} keys that were not the right one",
        "Each key that an agent holds costs one of the server's tries (MaxAuthTries, 6 unless "
        "set). Name the key, and let no other be offered.",
        (
            *(_only_key(approach, own) if own else (remedies.new_key(),)),
            Fix(("ssh-add", "-l"), note="lists what the agent offers"),
        ),
        Confidence.LIKELY,
    )


def _only_key(approach: Approach, own: str) -> tuple[Fix, ...]:
    """Return how ``own`` is offered first, and how no other is offered ever."""
    once = Fix(("netkit", "doctor", approach.typed, "-i", own), note="offers this key first")
    if approach.os == "windows":
        return (once,)
    config, words = "~/.ssh/config", (shlex.quote(approach.hop.alias), shlex.quote(own))
    block = f"printf 'Host %s\\n  IdentitiesOnly yes\\n  IdentityFile %s\\n' {' '.join(words)}"
    line = (
        f"touch {config} && cp -p {config} {config}.before && "
        f"{block} | cat - {config}.before > {config}"
    )
    undo = ("sh", "-c", f"mv {config}.before {config}")
    note = "offers no other key there, from now on"
    return (once, Fix(("sh", "-c", line), note=note, persistent=True, undo=undo))


def _locked(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    file = _faulty(facts, tried)
    agent = f" The SSH agent could not be asked: {clean(tried.agent)}." if tried.agent else ""
    note = "asks for the passphrase once; then the agent signs"
    add = ("ssh-add", file) if file else ("ssh-add",)
    if approach.os == "darwin":
        add = ("ssh-add", "--apple-use-keychain", *add[1:])
    return Advice(
        f"The key {file or 'for ' + approach.name} is locked by a passphrase, and nobody was there "
        "to type it",
        f"The agent does not hold it. On a terminal netkit asks for the passphrase.{agent}",
        (Fix(add, note=note), _start_agent(approach.os)),
    )


def _start_agent(os: str) -> Fix:
    if os == "windows":
        line = "Set-Service ssh-agent -StartupType Automatic; Start-Service ssh-agent"
        return Fix(("powershell", "-Command", line), needs_admin=True, persistent=True)
    return Fix(
        ("ssh-agent", "sh"), note="a shell with an agent, where there is none; ssh-add there"
    )


def _faulty(facts: Refusal, tried: Tried) -> str:
    """Return the key file that a failure is about, as far as that is said."""
    known = facts.approach.hop.identities
    texts = [what for _, what in tried.faults] + [facts.approach.login.error]
    return next((path for path in known for text in texts if path and path in text), "")


def _passphrase(facts: Refusal, tried: Tried) -> Advice:
    file = clean(_faulty(facts, tried), 300)
    return Advice(
        f"The passphrase for the key {file or 'of this login'} is wrong",
        "It was mistyped, or belongs to another key. A forgotten one cannot be recovered: make a "
        "new key then.",
        (Fix(("ssh-keygen", "-y", "-f", file)),) if file else (remedies.new_key(),),
    )


def _unusable(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    login = approach.login
    first = login.error if login.error_code in (*r.KEY_FAULTS, "bad-certificate") else ""
    what = clean(first or next((each for _, each in tried.faults), login.error), 300)
    return Advice(
        f"None of the keys for {approach.name} can be used: {what}",
        clean(login.cause, 400),
        (Fix(("netkit", "doctor", "--only", "keys"), note="looks at the key files"),),
    )


def _factor(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    accepted = clean(approach.login.cause.partition(" and wants")[0], 200)
    wanted = clean(", ".join(approach.login.methods), 200) or "something else"
    return Advice(
        f"{approach.name} wants one more factor than could be given",
        f"{accepted[:1].upper()}{accepted[1:]}, and now asks for {wanted}; run it on a terminal.",
        (remedies.ssh(approach.hop, "-v", note="asks for all of them"),),
    )


def _would_not_sign(facts: Refusal, tried: Tried) -> Advice:
    key, why = tried.unsigned[0]
    return Advice(
        f"{facts.approach.name} would accept the key {_show_key(key)}, but it did not sign: "
        f"{clean(why)}",
        "The confirmation was denied, the agent is locked, the security key is absent or was not "
        "touched, or the agent is too old for RSA with SHA-2.",
        (
            Fix(("ssh-add", "-l"), note="lists what the agent holds; a locked agent shows nothing"),
            Fix(("ssh-add", "-X"), note="unlocks a locked agent"),
        ),
        Confidence.LIKELY,
    )


def _old_rsa(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    key = tried.old_rsa[0]
    install = (remedies.install_key(approach.hop, "", approach.os),)
    return Advice(
        f"{approach.name} takes the RSA key {_show_key(key)} only with SHA-1, which is unsafe",
        "Its server is older than OpenSSH 7.2 or set up so. A key of another type works with both.",
        (remedies.new_key(), *(install if _takes_secret(approach) else ())),
    )


def _unanswered(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    return Advice(
        f"{approach.name} asked a question that was not answered",
        "Without an answer there is no login.",
        (_password(approach),),
    )


def _cut(facts: Refusal, tried: Tried) -> Advice:
    approach = facts.approach
    user = clean(approach.hop.user, 60) or "nobody"
    after = f" after {len(tried.refused)} refused keys" if tried.refused else ""
    return Advice(
        f"{approach.name} ended the connection during the login of {user}{after}",
        "The account may be locked or have expired, its MaxAuthTries may be small, or the server "
        "failed; only its log says which.",
        (_log(), remedies.ssh(approach.hop, "-v")),
        Confidence.LIKELY,
    )


def _timed_out(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    return Advice(
        f"{approach.name} did not answer a login request in time",
        "It waits for something itself: a name server for our address (UseDNS), a directory "
        "service for the account, or a disk that hangs.",
        (_log(), remedies.sshd_setting("dns", "UseDNS no", note="if it looks addresses up")),
        Confidence.LIKELY,
    )


def _failed(facts: Refusal, _tried: Tried) -> Advice:
    approach = facts.approach
    return Advice(
        f"The login to {approach.name} failed: {clean(approach.login.error, 300)}",
        clean(approach.login.cause, 400),
        (remedies.ssh(approach.hop, "-v"),),
    )


_TEXTS: dict[str, Callable[[Refusal, Tried], Advice]] = {
    r.NOT_AUTHORIZED: _not_authorized,
    r.NO_KEY: _no_key,
    r.PASSWORD_ONLY: _password_only,
    r.METHOD: _method,
    r.WRONG_PASSWORD: _wrong_password,
    r.EXPIRED: _expired,
    r.TOO_MANY: _too_many,
    r.LOCKED: _locked,
    r.PASSPHRASE: _passphrase,
    r.UNUSABLE: _unusable,
    r.FACTOR: _factor,
    r.WOULD_NOT_SIGN: _would_not_sign,
    r.OLD_RSA: _old_rsa,
    r.UNANSWERED: _unanswered,
    r.CUT: _cut,
    r.TIMED_OUT: _timed_out,
    r.FAILED: _failed,
}
