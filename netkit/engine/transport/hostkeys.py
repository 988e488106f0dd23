"""Whether the key a gateway proved to own is the one it should have."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from netkit.engine.transport import hostcert
from netkit.engine.transport.hostcert import Certificate
from netkit.engine.transport.signatures import short_name
from netkit.errors import ConfigError, HostKeyError
from netkit.model import Fix, Hop, HostKeyPolicy
from netkit.prompt import HostKeyQuestion, Prompter
from netkit.text import known_hosts
from netkit.text.fingerprints import key_type, randomart, sha256_fingerprint
from netkit.text.known_hosts import HostKeys, KnownHost, KnownHosts, Verdict, lookup_name


def load(hop: Hop, log: Callable[[str, str], None] | None = None) -> HostKeys:
    """Read the hop's known_hosts files and return the lines about it.

    A file that is missing is empty; one that cannot be read is reported and counts as empty, which
    makes the host unknown, not trusted.
    """
    parts: list[KnownHosts] = []
    for path in (*hop.known_hosts, *hop.global_known_hosts):
        try:
            with path.open("rb") as file:
                content = file.read(known_hosts.MAX_FILE + 1)
            parts.append(known_hosts.parse_known_hosts(content, str(path)))
        except FileNotFoundError:
            continue
        except (OSError, ConfigError) as error:
            if log:
                log("known-hosts-unreadable", f"{path} was left out: {_why(error)}")
    return known_hosts.combine(parts).match_hop(hop)


class HostKeyCheck:
    """Decides about one gateway's key.

    Attributes:
        known: the lines of known_hosts about it, for the order of host key algorithms.
    """

    def __init__(
        self,
        hop: Hop,
        *,
        prompter: Prompter | None,
        log: Callable[[str, str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._hop = hop
        self._prompter = prompter
        self._log = log
        self._now = now
        self.known = load(hop, log)
        self._name, self._port = known_hosts.hop_lookup(hop)

    def check(self, blob: bytes, certificate: Certificate | None, address: str = "") -> None:
        """Return if the key is to be trusted; may ask, and may record a new key.

        Raises:
            HostKeyError: the key is unknown and nobody accepts it, changed, or revoked.
        """
        if certificate:
            if self._certified(certificate):
                return
            blob = certificate.key_blob
        judgement = self.known.verdict(blob)
        match judgement.verdict:
            case Verdict.MATCH:
                return
            case Verdict.REVOKED:
                raise self._revoked(judgement.entry)
            case Verdict.CHANGED:
                raise self._changed(blob, judgement.entry)
        self._unknown(blob, address)

    def _certified(self, certificate: Certificate) -> bool:
        for key in (certificate.ca_blob, certificate.key_blob):
            if revoked := self.known.is_revoked(key):
                raise self._revoked(revoked)
        trusted = [e for e in self.known.authorities if e.key == certificate.ca_blob]
        if not trusted:
            return False
        fault = hostcert.host_fault(certificate, self._name, self._now())
        if not fault:
            return True
        raise HostKeyError(
            f"the host certificate of {self._shown} cannot be trusted: {fault}",
            code="host-certificate-invalid",
            cause=f"it is signed by the authority in {trusted[0]}, serial {certificate.serial}; "
            "the gateway's administrator has to renew it",
        )

    def _unknown(self, blob: bytes, address: str) -> None:
        kind, print_ = short_name(key_type(blob)), sha256_fingerprint(blob)
        match self._hop.host_key:
            case HostKeyPolicy.ACCEPT_NEW:
                self._record(blob)
                return
            case HostKeyPolicy.ASK if self._prompter:
                question = HostKeyQuestion(
                    host=self._shown,
                    address=address,
                    key_type=kind,
                    fingerprint=print_,
                    randomart=randomart(blob),
                )
                if self._prompter.trust_host_key(question):
                    self._record(blob)
                    return
                raise HostKeyError(
                    f"the host key of {self._shown} was not accepted",
                    code="host-key-declined",
                    cause=f"it shows {kind} {print_}",
                    fixes=(
                        Fix(
                            ("netkit", "forward", "..."),
                            note="asks again, once its administrator confirmed the fingerprint",
                        ),
                    ),
                )
        raise HostKeyError(
            f"the host key of {self._shown} is unknown",
            code="host-key-unknown",
            cause=f"no known_hosts file names it; it shows {kind} {print_}. Compare this with "
            "what its administrator says, then accept it",
            fixes=(Fix(("netkit", "forward", "...", "--host-key", "accept-new")),),
        )

    @property
    def _shown(self) -> str:
        return lookup_name(self._name, self._port)

    def _changed(self, blob: bytes, entry: KnownHost | None) -> HostKeyError:
        file = entry.file if entry else ""
        return HostKeyError(
            f"the host key of {self._shown} has changed",
            code="host-key-changed",
            cause=f"{entry} holds {_print(entry)}, but it shows {short_name(key_type(blob))} "
            f"{sha256_fingerprint(blob)}: the server was reinstalled, or somebody is in between. "
            "Find out which before removing the old key",
            fixes=(Fix(("ssh-keygen", "-R", self._shown, "-f", file)),),
        )

    def _revoked(self, entry: KnownHost | None) -> HostKeyError:
        return HostKeyError(
            f"the host key of {self._shown} is revoked",
            code="host-key-revoked",
            cause=f"{entry} revokes {_print(entry)}; its owner says that it must not be trusted",
            fixes=(
                Fix(
                    ("ssh-keygen", "-F", self._shown, "-f", entry.file if entry else ""),
                    note="shows the lines about it; ask the gateway's administrator",
                ),
            ),
        )

    def _record(self, blob: bytes) -> None:
        if not self._hop.known_hosts:
            self._log("host-key-not-recorded", f"no known_hosts file to record {self._shown} in")
            return
        path = self._hop.known_hosts[0]
        salt = secrets.token_bytes(20) if self._hop.hash_known_hosts else None
        try:
            append_line(path, known_hosts.format_line(self._name, self._port, blob, salt=salt))
        except (OSError, ValueError) as error:
            # the key was accepted; the next connection will ask again
            self._log("host-key-not-recorded", f"{path} could not be written: {_why(error)}")
        else:
            self._log("host-key-recorded", f"the host key of {self._shown} is now in {path}")


def _print(entry: KnownHost | None) -> str:
    if entry is None:
        return "another key"
    return f"{short_name(entry.key_type)} {sha256_fingerprint(entry.key)}"


def _why(error: Exception) -> str:
    """Return the reason without the path, which the message names already."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def append_line(path: Path, line: str) -> None:
    """Append a line to a known_hosts file by replacing it atomically; its text stays as it is.

    Creates ``~/.ssh`` 0700 and the file 0600; keeps the mode of a file that is there; follows a
    symbolic link to the file it names.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        content = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        content, mode = b"", 0o600
    if content and not content.endswith(b"\n"):
        content += b"\n"
    handle, temporary = tempfile.mkstemp(prefix=".known_hosts-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
