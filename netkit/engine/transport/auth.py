"""Logging in: which method and which credential next, in OpenSSH's order.

``none`` first, which also tells what the server offers; then the methods in the order of the hop's
``auth_methods``.  A step that succeeds in part (two factors) goes on with what the server still
wants; nothing that succeeded or was refused is sent twice, a given password exactly once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from netkit.engine.transport import auth_errors
from netkit.engine.transport.agent import Agent, AgentError, open_agent
from netkit.engine.transport.client import SshTransport
from netkit.engine.transport.credentials import CERT, Credential, Credentials, gather
from netkit.engine.transport.signatures import short_name
from netkit.engine.transport.userauth import (
    Failure,
    Reply,
    Specific,
    Success,
    UserAuth,
    parse_info_request,
)
from netkit.engine.witness import Witness
from netkit.errors import AuthenticationError, KeyFileError, NetkitError, RemoteProtocolError
from netkit.model import Hop
from netkit.prompt import Prompter
from netkit.text.fingerprints import key_type, sha256_fingerprint
from netkit.wire.messages import string

MAX_ROUNDS: Final = 64
"""Question rounds in one keyboard-interactive exchange, and steps in one login."""
TRIES_KEPT: Final = 1
AGAIN_TIMEOUT: Final = 45.0
"""Seconds for an answer that nobody has to think about, from a gateway that let us in before: one
that froze, or whose path broke, is tried anew."""
LIKELY_MAX_TRIES: Final = 6
"""sshd's default MaxAuthTries; a password the caller gave is worth the last of them."""

_ANSWERED: Final = frozenset({"password", "keyboard-interactive"})

_ONE_TIME: Final = re.compile(
    r"\b(otp|totp|token|code|passcode|one.?time|verification|pin|duo|yubi\w*)\b", re.IGNORECASE
)


@dataclass(slots=True)
class _State:
    """What has happened in this login."""

    methods: tuple[str, ...] = ()
    failures: int = 0
    tried: list[auth_errors.Tried] = field(default_factory=list)
    succeeded: list[str] = field(default_factory=list)
    spent: set[str] = field(default_factory=set)


class Login:
    """One login on a transport whose host key has been checked."""

    def __init__(
        self,
        transport: SshTransport,
        hop: Hop,
        *,
        prompter: Prompter | None,
        password: str | None,
        log: Callable[[str, str], None],
        cancelled: threading.Event | None = None,
        before: str = "",
    ) -> None:
        """``before`` is what `run` returned the last time; empty: this is the first login."""
        self._transport = transport
        self._hop = hop
        self._prompter = prompter
        self._password = password
        self._log = log
        self._before = before
        self._limit = AGAIN_TIMEOUT if before else None
        self._userauth = UserAuth(
            transport,
            hop.user,
            show=prompter.show if prompter else self._tell,
            cancelled=cancelled,
        )
        self._state = _State()
        self._agent: Agent | None = None
        self._no_agent: AgentError | None = None
        self._credentials: Credentials | None = None
        self._prompts = dict.fromkeys(("password", "keyboard-interactive"), hop.password_prompts)
        self._person_asked = False
        self._untold: list[KeyFileError] = []

    def run(self) -> str:
        """Log in and return how, such as ``publickey ED25519 SHA256:…``.

        Raises:
            AuthenticationError: nothing was accepted; the cause lists what was tried and why not.
            NetkitError: the connection was lost on the way.
        """
        try:
            self._userauth.begin()
            if self._step("none", self._userauth.request("none", limit=self._limit)):
                return "none"
            self._state.failures = 0  # servers do not count the first "none"
            while method := self._next_method():
                if self._attempt(method):
                    self._tell_faults()
                    return " + ".join(self._state.succeeded)
            raise self._refused()
        except NetkitError as error:
            final = auth_errors.at_end(error, self._hop, self._state.tried)
            if final is error:
                raise
            raise final from error
        finally:
            if self._agent:
                self._agent.close()
            self._userauth.drain()

    def tell(self, witness: Witness) -> None:
        """Tell what was tried, whatever came of it."""
        witness.methods = self._state.methods
        witness.tried = tuple(self._state.tried)
        witness.faults = tuple(self._credentials.faults) if self._credentials else ()

    def _next_method(self) -> str:
        for method in self._hop.auth_methods:
            if method in self._state.methods and method not in self._state.spent:
                return method
        return ""

    def _attempt(self, method: str) -> bool:
        """Try one method until it succeeds, in part or whole, or is spent; return if logged in."""
        match method:
            case "publickey":
                return self._publickey()
            case "password":
                return self._password_method()
            case "keyboard-interactive":
                return self._interactive()
        self._state.spent.add(method)
        return False

    def _step(self, what: str, reply: Reply) -> bool:
        """Note an answer that ends a request; return whether we are logged in."""
        match reply:
            case Success():
                self._state.succeeded.append(what)
                return True
            case Failure(methods=methods, partial=True):
                if len(self._state.succeeded) >= MAX_ROUNDS:
                    raise RemoteProtocolError("the gateway asks for one more factor without end")
                self._state.methods = methods
                self._state.succeeded.append(what)
                self._state.spent.clear()
            case Failure(methods=methods):
                self._state.methods = methods
                self._state.failures += 1
            case _:
                raise RemoteProtocolError("the gateway answered out of turn at login")
        return False

    def _refused(self) -> AuthenticationError:
        faults = self._credentials.faults if self._credentials else []
        if self._no_agent is not None and len(self._state.tried) == 1:
            return auth_errors.without_agent(self._hop, self._no_agent)
        return auth_errors.refused(
            self._hop,
            offered=self._state.methods,
            tried=self._state.tried,
            faults=faults,
            succeeded=self._state.succeeded,
            could_prompt=self._prompter is not None,
        )

    # publickey

    def _publickey(self) -> bool:
        offers = self._load().offers
        if self._no_agent is not None and self._needs_the_agent(offers):
            raise auth_errors.without_agent(self._hop, self._no_agent)
        while offers:
            if self._leave_a_try_for_the_password(offers[0]):
                break
            credential = offers.pop(0)
            partial_before = len(self._state.succeeded)
            if self._offer(credential):
                return True
            if len(self._state.succeeded) > partial_before:
                return False
            if "publickey" not in self._state.methods:
                break
        self._state.spent.add("publickey")
        return False

    def _needs_the_agent(self, offers: list[Credential]) -> bool:
        """Return whether the key that let us in is in the agent alone, and nothing else can.

        Other keys were worth a try the first time; to have them refused again and again until the
        agent is back could lock the account.
        """
        may_answer = self._password is not None or self._prompter is not None
        if may_answer and not _ANSWERED.isdisjoint(self._state.methods):
            return False
        return "SHA256:" in self._before and not any(
            sha256_fingerprint(each.blob) in self._before for each in offers
        )

    def _leave_a_try_for_the_password(self, credential: Credential) -> bool:
        return (
            not credential.named
            and self._password is not None
            and self._state.failures >= LIKELY_MAX_TRIES - TRIES_KEPT
            and not _ANSWERED.isdisjoint(self._state.methods)
        )

    def _load(self) -> Credentials:
        if self._credentials is None:
            try:
                self._agent = open_agent(self._hop.identity_agent)
                self._credentials = gather(self._hop, self._agent, self._prompter)
            except AgentError as error:
                self._log(error.code, f"{error.summary}; {error.cause}".rstrip("; "))
                self._no_agent = error
                self._note("publickey", "the SSH agent", error.summary)
                self._credentials = gather(self._hop, None, self._prompter)
            self._untold += self._credentials.faults
        return self._credentials

    def _offer(self, credential: Credential) -> bool:
        """Ask whether the key would do, and if so sign; return whether we are logged in."""
        algorithms = self._algorithms(credential.blob)
        if algorithms is None:
            self._note("publickey", str(credential), "the gateway takes no RSA with SHA-2")
            return False
        wire, plain = algorithms
        key = string(wire) + string(credential.blob)
        reply = self._userauth.request("publickey", b"\0" + key, self._limit)
        if isinstance(reply, Specific):
            if not reply.payload.endswith(string(credential.blob)):
                # the name before it is not compared: some servers put the key type there
                raise RemoteProtocolError("the gateway agreed to another key than was offered")
            body = b"\1" + key
            session = string(self._transport.session_id or b"")
            try:
                signature = credential.signer(
                    plain, session + self._userauth.prefix("publickey") + body
                )
            except (KeyFileError, AgentError) as error:
                self._unusable(credential, error)
                return False
            reply = self._userauth.request("publickey", body + string(signature))
        kind, print_ = key_type(credential.blob), sha256_fingerprint(credential.blob)
        done = self._step(f"publickey {short_name(kind)} {print_}", reply)
        if isinstance(reply, Failure) and not reply.partial:
            self._note("publickey", str(credential), "refused by the gateway")
        return done

    def _unusable(self, credential: Credential, error: AuthenticationError) -> None:
        if isinstance(error, KeyFileError):
            self._load().faults.append(error)
            self._untold.append(error)
        else:
            self._log(error.code, error.summary)
            self._note("publickey", str(credential), f"{error.summary}: {error.cause}")

    def _algorithms(self, blob: bytes) -> tuple[str, str] | None:
        """Return the request's algorithm name and the plain one of the signature (RFC 8332)."""
        kind = key_type(blob)
        cert = CERT if kind.endswith(CERT) else ""
        plain = kind.removesuffix(CERT) + ("@openssh.com" if cert and kind[:3] == "sk-" else "")
        if plain != "ssh-rsa":
            return kind, plain
        extensions = self._transport.server_extensions
        raw = extensions.get("server-sig-algs", b"")
        accepted = raw.decode("ascii", "replace").split(",") if raw else []
        for name in ("rsa-sha2-512", "rsa-sha2-256"):
            if not accepted or name in accepted:
                return name + cert, name
        return None

    # password and keyboard-interactive

    def _secret(self, prompt: str, method: str) -> str | None:
        """Return the caller's password the first time, then what a person answers."""
        if self._password is not None:
            secret, self._password = self._password, None
            return secret
        if self._prompter is None or self._prompts[method] <= 0:
            return None
        self._prompts[method] -= 1
        self._tell_faults()
        return self._prompter.secret(prompt)

    def _password_method(self) -> bool:
        prompt = f"{self._hop.user}@{self._hop.host}'s password: "
        secret = self._secret(prompt, "password")
        if secret is None:
            self._state.spent.add("password")
            return False
        reply = self._userauth.request("password", b"\0" + string(secret))
        if isinstance(reply, Specific):
            raise auth_errors.password_expired(self._hop)
        if isinstance(reply, Failure) and not reply.partial:
            self._note("password", "password", "refused by the gateway")
        return self._step("password", reply)

    def _interactive(self) -> bool:
        method = "keyboard-interactive"
        if self._password is None and (self._prompter is None or self._prompts[method] <= 0):
            self._state.spent.add(method)
            return False
        self._person_asked = asked = False
        reply = self._userauth.request(method, string("") + string(""))
        for _ in range(MAX_ROUNDS):
            if not isinstance(reply, Specific):
                break
            answers = self._answers(reply.payload)
            if answers is None:
                # RFC 4256 knows no refusal to answer: another request abandons the exchange
                self._state.spent.add(method)
                return False
            asked = asked or bool(answers)
            reply = self._userauth.answer(answers)
        if isinstance(reply, Specific):
            raise RemoteProtocolError("the gateway asks questions without end")
        self._prompts[method] -= self._person_asked
        done = self._step(method, reply)
        if not asked:
            # no questions means that the server has no device behind this method
            self._state.spent.add(method)
        elif isinstance(reply, Failure) and not reply.partial:
            self._note(method, method, "the answers were refused by the gateway")
        return done

    def _answers(self, payload: bytes) -> list[str] | None:
        method = "keyboard-interactive"
        info = parse_info_request(payload)
        if not info.prompts:
            self._show(info.title, info.instruction)
            return []
        first, echo = info.prompts[0]
        one_secret = len(info.prompts) == 1 and not echo and not _ONE_TIME.search(first)
        if one_secret and self._password is not None:
            return [self._secret("", method) or ""]
        if self._prompter is None or self._prompts[method] <= 0:
            self._note(method, method, f"nobody is there to answer {first.strip()!r}")
            return None
        self._person_asked = True
        self._tell_faults()
        self._show(info.title, info.instruction)
        answers: list[str] = []
        for text, echo in info.prompts:
            answer = self._prompter.answer(text) if echo else self._prompter.secret(text)
            if answer is None:
                self._note(method, method, f"{text.strip()!r} was not answered")
                return None
            answers.append(answer)
        return answers

    def _show(self, *texts: str) -> None:
        text = "\n".join(t for t in texts if t.strip())
        if text and self._prompter:
            self._prompter.show(text)
        elif text:
            self._tell(text)

    def _tell(self, text: str) -> None:
        self._log("gateway-says", f"the gateway says: {text.strip()}")

    def _tell_faults(self) -> None:
        """Say which keys were of no use, where no error will: before a question, or at the end."""
        for fault in self._untold:
            self._log(fault.code, fault.summary)
        self._untold.clear()

    def _note(self, method: str, what: str, why: str) -> None:
        self._state.tried.append(auth_errors.Tried(method, what, why))
