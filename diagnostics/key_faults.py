"""What is wrong with a private key file, in words and commands.  Pure and total."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from diagnostics import remedies
from diagnostics.parsers.key_forms import KeyForm
from diagnostics.parsers.public_keys import PublicKey, short_type
from diagnostics.parsers.text import clean
from diagnostics.ssh import KeyFileFacts
from diagnostics.system import FileStat
from netkit.model import Fix

SHORT_RSA = 2048
"""Bits; NIST SP 800-131A disallows RSA below it, and so do the crypto policies of RHEL 9."""

MISSING, UNREADABLE, PERMISSIONS, PUTTY, SSH2 = (
    "key-missing",
    "key-unreadable",
    "key-permissions",
    "key-is-ppk",
    "key-is-ssh2",
)
DSA, SHORT, UNSUPPORTED, DAMAGED = (
    "key-is-dsa",
    "key-rsa-short",
    "key-unsupported",
    "key-not-recognised",
)
PUBLIC, NEEDS_AGENT, MISMATCH = "key-is-public", "key-needs-agent", "key-pair-mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key file as it was found.

    Attributes:
        hop: alias of the hop it is for; empty where no gateway is named.
        named: whether somebody named it (``-i``, IdentityFile).
        facts: what netkit makes of it.
        stat, form: the file, and what it looks like from outside.
        public: the key in ``PATH.pub``; None where there is none.
    """

    hop: str = ""
    named: bool = False
    facts: KeyFileFacts
    stat: FileStat
    form: KeyForm
    public: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """A fault in words, and what mends it."""

    title: str
    explain: str
    fixes: tuple[Fix, ...] = ()


def fault_of(view: KeyView, held: frozenset[str]) -> str:
    """Return the code of what makes a key useless or weak; empty for a good one.

    ``held`` are the fingerprints of the keys that an agent can sign with.
    """
    facts, public = view.facts, view.public
    in_agent = facts.fingerprint in held or (public is not None and public.fingerprint in held)
    code = facts.error_code
    if code in (PUBLIC, NEEDS_AGENT, MISSING) and in_agent:
        return ""
    if code == MISSING:
        return MISSING if view.named else ""
    if code:
        return code if code in _WORDS else DAMAGED
    if public is not None and facts.fingerprint and public.fingerprint != facts.fingerprint:
        return MISMATCH
    if facts.key_type == "ssh-rsa" and 0 < facts.bits < SHORT_RSA:
        return SHORT
    return PUTTY if view.form.form == "ppk" else ""


def words_for(code: str, view: KeyView, os: str) -> Words:
    """Return what to say about ``code``, a result of `fault_of`."""
    return _WORDS.get(code, _damaged)(view, os)


def _path(view: KeyView) -> str:
    return clean(view.facts.path, 300)


def _missing(view: KeyView, os: str) -> Words:
    path = view.facts.path
    directory = path.replace("\\", "/").rpartition("/")[0] or "."
    show = ("dir", directory) if os == "windows" else ("ls", "-l", directory)
    fix = Fix(("cmd", "/c", *show) if os == "windows" else show, note="shows which keys are there")
    return Words(
        f"The key {_path(view)} does not exist",
        "ssh_config or -i names it. It is misspelt, or the key is on another machine.",
        (fix,),
    )


def _unreadable(view: KeyView, os: str) -> Words:
    path = view.facts.path
    fixes: tuple[Fix, ...] = ()
    if os != "windows":
        fixes = (Fix(("ls", "-ld", path), note="shows whose it is"),)
        if view.stat.uid == 0 and view.stat.kind == "file":
            take = f'chown "$SUDO_USER" {shlex.quote(path)}'
            undo = ("sudo", "chown", "root", path)
            fixes = (
                Fix(
                    ("sudo", "sh", "-c", take),
                    needs_admin=True,
                    persistent=True,
                    undo=undo,
                    note="it belongs to root, as after making it with sudo",
                ),
                *fixes,
            )
    what = {"directory": "it is a directory", "fifo": "it is a pipe"}.get(view.stat.kind)
    return Words(
        f"The key {_path(view)} cannot be read" + (f": {what}" if what else ""),
        clean(view.facts.cause, 200) or "It belongs to somebody else, or is no file.",
        fixes,
    )


def _permissions(view: KeyView, _os: str) -> Words:
    path, mode = view.facts.path, view.stat.mode & 0o7777
    return Words(
        f"The key {_path(view)} can be read by other users (mode {mode:04o}), so it is not used",
        "A key that others can read proves nothing; ssh refuses it too.",
        (Fix(("chmod", "600", path), persistent=True, undo=("chmod", f"{mode:o}", path)),),
    )


def _putty(view: KeyView, os: str) -> Words:
    path = view.facts.path
    out = path[:-4] if path.lower().endswith(".ppk") and len(path) > 4 else f"{path}_openssh"
    version = f" (version {view.form.version})" if view.form.version else ""
    undo = ("cmd", "/c", "del", out) if os == "windows" else ("rm", out)
    convert = Fix(
        ("netkit", "key", "convert", path, "--to", "openssh", "-o", out),
        note="writes a copy that ssh reads too; the passphrase and the public half stay",
        persistent=True,
        undo=undo,
    )
    return Words(
        f"The key {_path(view)} is a PuTTY key{version}: netkit reads it, ssh does not",
        "For netkit nothing needs to be done. ssh, scp, git and rsync want OpenSSH's format.",
        (convert,),
    )


def _ssh2(view: KeyView, _os: str) -> Words:
    path = view.facts.path
    return Words(
        f"The key {_path(view)} is in the format of ssh.com or of SSH protocol 1",
        "OpenSSH converts unencrypted keys of the former; those of protocol 1 are of no use.",
        (Fix(("sh", "-c", f"umask 077; ssh-keygen -i -f {_q(path)} > {_q(path + '_openssh')}")),),
    )


def _q(path: str) -> str:
    return shlex.quote(path)


def _dsa(view: KeyView, _os: str) -> Words:
    return Words(
        f"The key {_path(view)} is a DSA key, which servers no longer accept",
        "OpenSSH switched DSA off in 2015 and has removed it since. Make an Ed25519 key, and put "
        "its public half on the gateway.",
        (remedies.new_key(),),
    )


def _short(view: KeyView, _os: str) -> Words:
    return Words(
        f"The key {_path(view)} is an RSA key of only {view.facts.bits} bits",
        f"Servers with current crypto policies refuse RSA below {SHORT_RSA} bits "
        "(RequiredRSASize); it is not safe for long.",
        (remedies.new_key(),),
    )


def _unsupported(view: KeyView, _os: str) -> Words:
    facts = view.facts
    fixes: tuple[Fix, ...] = (remedies.new_key(),)
    if "encrypted" in facts.error:
        note = "stores it anew in a common form; asks for the passphrase"
        again = Fix(("ssh-keygen", "-p", "-Z", "aes256-ctr", "-f", facts.path), note=note)
        fixes = (again, *fixes)
    return Words(
        clean(facts.error, 300) or f"The key {_path(view)} is of a kind that cannot be used",
        clean(facts.cause, 300) or "Make a key of another type; Ed25519 works nearly everywhere.",
        fixes,
    )


def _public(view: KeyView, _os: str) -> Words:
    path = view.facts.path
    private = path[:-4] if path.endswith(".pub") else ""
    hint = f" The private half is probably {clean(private, 300)}." if private else ""
    return Words(
        f"{_path(view)} is a public key, and no agent holds its private half",
        f"Only the private half can prove who you are.{hint}",
        (
            Fix(("ssh-add", private), note="hands the private half to the agent")
            if private
            else Fix(("ssh-add", "-L"), note="shows what the agent holds"),
        ),
    )


def _needs_agent(view: KeyView, _os: str) -> Words:
    return Words(
        f"The key {_path(view)} belongs to a security key, and no agent holds it",
        "Only an SSH agent can talk to the device; netkit asks the agent.",
        (Fix(("ssh-add", view.facts.path), note="with the device plugged in"),),
    )


def _mismatch(view: KeyView, os: str) -> Words:
    path = view.facts.path
    public = view.public or PublicKey("", 0, "")
    kind, print_ = short_type(clean(public.key_type, 64)), clean(public.fingerprint, 60)
    seen = f"{kind} {print_}".strip() or "another key"
    make = f"ssh-keygen -y -f {_q(path)} > {_q(path + '.pub')}"
    if os == "windows":
        quoted = path.replace('"', "")
        make = f'ssh-keygen -y -f "{quoted}" > "{quoted}.pub"'
    argv = ("cmd", "/c", make) if os == "windows" else ("sh", "-c", make)
    return Words(
        f"{_path(view)}.pub is not the public half of {_path(view)}",
        f"It is {seen}. The pair was mixed up when it was copied, and the gateway may have been "
        "given the wrong half.",
        (Fix(argv, persistent=True, note="writes the right one in its place"),),
    )


_FAULTS = {
    "utf-16": "it is text in UTF-16, as PowerShell's > writes it",
    "byte-order-mark": "it begins with a byte order mark, as some editors write it",
    "cut-off": "its closing line is missing, so a part was lost when it was copied",
    "one-line": "its line breaks were lost when it was copied",
    "indented": "its lines are indented, as when copied out of YAML",
}
_FORMS = {
    "empty": "it is empty",
    "html": "it is a web page, perhaps one that asks to log in",
    "x509": "it is a certificate for TLS",
    "pgp": "it is a PGP key",
    "public": "it is a public key",
    "ssh1": "it is a key of SSH protocol 1",
}


def _damaged(view: KeyView, os: str) -> Words:
    path, form = view.facts.path, view.form
    why = _FAULTS.get(form.fault) or _FORMS.get(form.form) or clean(view.facts.cause, 200)
    fixes = [Fix(("ssh-keygen", "-l", "-f", path), note="shows what ssh makes of it")]
    edit = {
        "utf-16": f"iconv -f UTF-16 -t UTF-8 {_q(path)}",
        "byte-order-mark": f"tail -c +4 {_q(path)}",
        "indented": f"sed 's/^[[:space:]]*//' {_q(path)}",
    }.get(form.fault)
    if edit and os != "windows":
        line = f"umask 077; cp -p {_q(path)} {_q(path)}.bak && {edit} > {_q(path)}.new"
        line += f" && mv {_q(path)}.new {_q(path)}"
        undo = ("mv", f"{path}.bak", path)
        fixes.insert(0, Fix(("sh", "-c", line), persistent=True, undo=undo, note="mends that"))
    return Words(
        f"{_path(view)} is no private key" + (f": {why}" if why else ""),
        "Copy it again from where it was made, as a file and not through an editor or a chat.",
        tuple(fixes),
    )


_WORDS: dict[str, Callable[[KeyView, str], Words]] = {
    MISSING: _missing,
    UNREADABLE: _unreadable,
    PERMISSIONS: _permissions,
    PUTTY: _putty,
    SSH2: _ssh2,
    DSA: _dsa,
    SHORT: _short,
    UNSUPPORTED: _unsupported,
    DAMAGED: _damaged,
    PUBLIC: _public,
    NEEDS_AGENT: _needs_agent,
    MISMATCH: _mismatch,
}
