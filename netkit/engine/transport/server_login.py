"""The server side of a login (RFC 4252): who may use netkit's own gateway.

paramiko's server handler closes the connection of a client that offers a key type it does not
know, and leaves the comparison of keys to the caller; this one answers "no" and goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from netkit.engine.transport.signatures import SIGNATURE_ALGORITHMS, short_name, verify
from netkit.errors import RemoteProtocolError
from netkit.text.authorized_keys import AuthorizedKey
from netkit.text.fingerprints import key_type, sha256_fingerprint
from netkit.wire.messages import (
    SERVICE_ACCEPT,
    SERVICE_REQUEST,
    USERAUTH_SUCCESS,
    Fields,
    string,
)
from netkit.wire.untrusted import printable

log = logging.getLogger("netkit.gateway")

USERAUTH_REQUEST = 50
USERAUTH_FAILURE = 51
USERAUTH_PK_OK = 60

MAX_PROBES = 256
"""Keys that a client may ask about and never sign with, per connection."""

SERVICE = "ssh-connection"

PROTOCOL_ERROR = 2
SERVICE_NOT_AVAILABLE = 7
NO_MORE_AUTH_METHODS = 14
"""Reasons of a disconnect (RFC 4253 section 11.1)."""

_TOUCHED = 1
_VERIFIED = 4


@dataclass(frozen=True, slots=True)
class LoginRules:
    """Who may log in; ``user`` is ``None`` for any name, ``password`` for no passwords."""

    keys: tuple[AuthorizedKey, ...]
    password: str | None
    user: str | None
    max_tries: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who has logged in, and ``how``; ``key`` is ``None`` after a password."""

    user: str
    how: str
    key: AuthorizedKey | None


class Login:
    """One client's login.

    ``send`` takes a payload, ``disconnect`` a reason (RFC 4253 section 11.1) and a text for the
    client; ``logged_in`` is called behind USERAUTH_SUCCESS.  The attributes without underscore and
    ``_handler_table`` are what paramiko's loop asks of its own handler.
    """

    def __init__(
        self,
        rules: LoginRules,
        *,
        session_id: Callable[[], bytes],
        send: Callable[[bytes], None],
        disconnect: Callable[[int, str], None],
        logged_in: Callable[[Identity], None],
    ) -> None:
        self.identity: Identity | None = None
        self.failures = 0
        self._rules = rules
        self._session_id = session_id
        self._send = send
        self._disconnect = disconnect
        self._logged_in = logged_in
        self._in_service = False
        self._user: str | None = None
        self._probes = 0
        self._handler_table = {
            SERVICE_REQUEST: self._service_request,
            USERAUTH_REQUEST: self._userauth_request,
        }

    def is_authenticated(self) -> bool:
        """Whether the client has logged in."""
        return self.identity is not None

    def get_username(self) -> str:
        """The name the client gave; empty before it did."""
        return self._user or ""

    def abort(self) -> None:
        """Nothing to do: nobody waits."""

    def _service_request(self, message: Any) -> None:
        name = Fields(message.asbytes(), 0).text()
        if name != "ssh-userauth":
            self._leave(SERVICE_NOT_AVAILABLE, "this service does not exist here")
        self._in_service = True
        self._send(bytes([SERVICE_ACCEPT]) + string(name))

    def _userauth_request(self, message: Any) -> None:
        if self.identity is not None:
            return  # RFC 4252 section 5.1: silently ignored
        if not self._in_service:
            self._leave(PROTOCOL_ERROR, "a login needs the service ssh-userauth")
        fields = Fields(message.asbytes(), 0)
        user, service, method = fields.text(), fields.text(), fields.text()
        if service != SERVICE:
            self._leave(SERVICE_NOT_AVAILABLE, "this service does not exist here")
        if self._user not in (None, user):
            self._leave(PROTOCOL_ERROR, "the user name changed during the login")
        first, self._user = self._user is None, user
        match method:
            case "publickey":
                self._publickey(user, fields)
            case "password":
                self._password(user, fields)
            case _:
                # The first "none" only asks which methods there are.
                self._fail(method, costs=not (first and method == "none"))

    # --- methods ---

    def _publickey(self, user: str, fields: Fields) -> None:
        signed = fields.boolean()
        algorithm, blob = fields.text(), bytes(fields.string())
        key = self._known(blob)
        if key is None or algorithm not in SIGNATURE_ALGORITHMS or not self._is_user(user):
            self._fail(f"key {sha256_fingerprint(blob)}")
            return
        if not signed:
            self._probes += 1
            if self._probes > MAX_PROBES:
                self._leave(PROTOCOL_ERROR, "too many keys were asked about")
            self._send(bytes([USERAUTH_PK_OK]) + string(algorithm) + string(blob))
            return
        signature = bytes(fields.string())
        if not self._proves(key, algorithm, signature):
            self._fail(f"signature of key {sha256_fingerprint(blob)}")
            return
        how = f"{short_name(key_type(blob))} {sha256_fingerprint(blob)}"
        self._succeed(Identity(user, f"publickey {how}", key))

    def _known(self, blob: bytes) -> AuthorizedKey | None:
        found = None
        for key in self._rules.keys:
            # Every key is compared, so that the time says nothing about which ones there are.
            if hmac.compare_digest(key.blob, blob):
                found = found or key
        return found

    def _is_user(self, user: str) -> bool:
        wanted = self._rules.user
        return wanted is None or hmac.compare_digest(wanted.encode(), user.encode())

    def _proves(self, key: AuthorizedKey, algorithm: str, signature: bytes) -> bool:
        """Check a signature over the session and the request (RFC 4252 section 7)."""
        data = (
            string(self._session_id())
            + bytes([USERAUTH_REQUEST])
            + string(self._user or "")
            + string(SERVICE)
            + string("publickey")
            + b"\1"
            + string(algorithm)
            + string(key.blob)
        )
        if not verify(key.blob, signature, data, algorithms=(algorithm,)):
            return False
        return not algorithm.startswith("sk-") or _has_flags(key, signature)

    def _password(self, user: str, fields: Fields) -> None:
        change = fields.boolean()
        given = bytes(fields.string())
        wanted = self._rules.password
        right = wanted is not None and hmac.compare_digest(
            hashlib.sha256(wanted.encode()).digest(), hashlib.sha256(given).digest()
        )
        if right and not change and self._is_user(user):
            self._succeed(Identity(user, "password", None))
        else:
            self._fail("password")

    # --- results ---

    def _leave(self, code: int, text: str) -> NoReturn:
        self._disconnect(code, text)
        raise RemoteProtocolError(text, code="login-refused")

    def _succeed(self, identity: Identity) -> None:
        self.identity = identity
        self._send(bytes([USERAUTH_SUCCESS]))
        self._logged_in(identity)

    def _fail(self, what: str, *, costs: bool = True) -> None:
        if costs:
            self.failures += 1
            log.info("login of %r refused: %s", printable(self.get_username()), printable(what))
        if self.failures >= self._rules.max_tries:
            self._leave(NO_MORE_AUTH_METHODS, "too many authentication failures")
        methods = ["publickey"] if self._rules.keys else []
        if self._rules.password is not None:
            methods.append("password")
        self._send(bytes([USERAUTH_FAILURE]) + string(",".join(methods)) + b"\0")


def _has_flags(key: AuthorizedKey, signature: bytes) -> bool:
    """Whether a security key says that its user was there (OpenSSH's PROTOCOL.u2f)."""
    fields = Fields(signature, 0)
    try:
        fields.string()
        fields.string()
        flags = fields.rest()[0]
    except (RemoteProtocolError, IndexError):
        return False
    wanted = (_TOUCHED if key.needs_touch else 0) | (_VERIFIED if key.needs_pin else 0)
    return flags & wanted == wanted
