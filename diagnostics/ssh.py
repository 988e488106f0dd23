"""What probes may ask of SSH: the gateway, the agent, the configuration.  A port, handed in.

netkit's implementation is `netkit.doctor`; diagnostics itself speaks no SSH.  As with
`diagnostics.system`, answers are frozen plain values and failures are answers.  There is one login
per run: `login` makes it and remembers the answer; what needs it calls it itself and says so in the
outcome ``no-login``.  Calls may come from several threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from netkit.model import Address, Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class HopFacts:
    """One gateway of the chain, as ssh_config and the command line resolve it.

    ``identities_explicit`` says that somebody named the ``identities`` (``-i``, IdentityFile).
    """

    alias: str
    host: str
    port: int = 22
    user: str = ""
    name: str = ""
    known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    identities_explicit: bool = False
    identities_only: bool = False
    identity_agent: str = ""
    auth_methods: tuple[str, ...] = ()
    proxy_command: str = ""
    address_family: str = "any"
    compression: bool = False
    connect_timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to the gateway.

    ``error_code`` and its companions are of the plan that could not be made (bad ssh_config,
    unknown profile); ``hops`` is empty then, and also where no gateway is named.
    """

    hops: tuple[HopFacts, ...] = ()
    warnings: tuple[str, ...] = ()
    keepalive_interval: float = 0.0
    keepalive_count: int = 3
    error_code: str = ""
    error: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithms:
    """Lists of SSH_MSG_KEXINIT (RFC 4253 section 7.1), client to server."""

    kex: tuple[str, ...] = ()
    host_keys: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    compression: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One credential that was tried or could not be; ``why`` it did not do."""

    method: str
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How far the login got.

    Attributes:
        stage: the last stage reached: ``none`` (no gateway, or no plan), ``tcp`` (it failed there),
            ``banner``, ``kex``, ``host-key``, ``auth`` (each: it failed there), or ``done``.
        hop: alias of the hop the rest is about: the failing one, or the last.
        hop_at: its place in the route, as two may have one alias; -1: unknown.
        error_code: that of the `netkit.errors.NetkitError`; empty when done.
        error: its summary; ``cause``: its cause.
        server: the version line of the server, ``SSH-2.0-OpenSSH_9.2p1``.
        ours: what netkit offers; ``theirs``: what the server offers.
        kex, host_key_algorithm, cipher, mac, compression: what was agreed.
        strict_kex: whether both sides use strict key exchange (CVE-2023-48795); None: unknown.
        host_key_type, host_key: type and SHA-256 fingerprint of the server's host key.
        methods: authentication methods the server offered at the end.
        attempts: what was tried.
        auth: how the login succeeded.
        notices: (code, text) said on the way.
        local, peer: the TCP connection's addresses; None through a ProxyCommand or a jump host.
        seconds: the whole of it; ``seconds_tcp`` the connect (with name resolution).
    """

    stage: str = "none"
    hop: str = ""
    hop_at: int = -1
    error_code: str = ""
    error: str = ""
    cause: str = ""
    server: str = ""
    ours: Algorithms = Algorithms()
    theirs: Algorithms = Algorithms()
    kex: str = ""
    host_key_algorithm: str = ""
    cipher: str = ""
    mac: str = ""
    compression: str = ""
    strict_kex: bool | None = None
    host_key_type: str = ""
    host_key: str = ""
    methods: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    auth: str = ""
    notices: tuple[tuple[str, str], ...] = ()
    local: Endpoint | None = None
    peer: Endpoint | None = None
    seconds: float = 0.0
    seconds_tcp: float = 0.0

    @property
    def done(self) -> bool:
        """Whether we are logged in."""
        return self.stage == "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOutput:
    """A command run on the gateway.

    ``outcome`` is ``ran`` (see ``status``; None where the server sent none), ``refused`` (no
    session or no exec), ``timed-out``, ``link-lost`` or ``no-login``.
    """

    command: str
    outcome: str
    status: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    text_error: str = ""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether it ran and ended with 0."""
        return self.outcome == "ran" and self.status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Asking the gateway for a channel to a target.

    ``outcome`` is ``ok``, ``refused-by-gateway`` (see ``reason``, RFC 4254 section 5.1, ``text``
    its words, and ``kind``: ``prohibited``, ``refused``, ``unreachable``, ``timed-out``, ``name``,
    ``unsupported``, ``shortage`` or ``other``), ``timed-out`` (no answer), ``link-lost`` or
    ``no-login``.  ``data`` is what came back; ``ended`` says that the target closed behind it.
    """

    target: Address
    outcome: str
    reason: int = 0
    kind: str = ""
    text: str = ""
    seconds: float = 0.0
    data: bytes = b""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A connection made to a port that the gateway listens on for us.

    ``origin`` is ``gateway`` (through a direct-tcpip channel) or ``here`` (plain TCP from this
    machine).  ``outcome`` is ``arrived`` (our nonce came to us over the forward), ``refused``,
    ``timed-out``, ``unreachable``, ``elsewhere`` (something answered, and it was not us),
    ``prohibited`` or ``failed``.  ``originator`` is whom the gateway named as the connecting side.
    """

    origin: str
    address: Endpoint
    outcome: str = ""
    text: str = ""
    originator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """Asking the gateway to listen, knocking, and giving the port back.

    ``outcome`` is ``ok``, ``refused``, ``timed-out``, ``link-lost`` or ``no-login``.  ``port`` is
    the allocated one.  ``messages`` are SSH_MSG_DEBUG texts of the server meanwhile.
    """

    bind: Address
    outcome: str
    port: int = 0
    knocks: tuple[Knock, ...] = ()
    messages: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClose:
    """Whether data still comes after we sent EOF, through a forward and back.

    ``outcome`` is ``kept``, ``lost`` (the channel closed early), ``timed-out``, ``prohibited`` or
    ``no-login``.
    """

    outcome: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A keepalive request on the link: whether an answer came, and after how many seconds.

    ``outcome`` is ``ok``, ``timed-out``, ``link-lost`` or ``no-login``.
    """

    outcome: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class X11Answer:
    """Asking the gateway for X11 forwarding (RFC 4254 section 6.3.1) and giving it back.

    ``outcome`` is ``granted``, ``refused``, ``no-session``, ``timed-out``, ``link-lost`` or
    ``no-login``.  ``messages`` are SSH_MSG_DEBUG texts of the server meanwhile.  ``meanwhile`` is
    what a command said that ran while it was granted.
    """

    outcome: str
    messages: tuple[str, ...] = ()
    meanwhile: RemoteOutput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentKeyFacts:
    """A key that the agent holds."""

    key_type: str
    bits: int
    fingerprint: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """The agent: ``outcome`` is ``ok``, ``none`` (no agent is configured), ``absent`` (the socket
    leads nowhere), ``failed`` (it answers wrongly or not at all)."""

    outcome: str
    path: str = ""
    keys: tuple[AgentKeyFacts, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileFacts:
    """A private key file.

    ``error_code`` is that of netkit's `KeyFileError` (``key-is-putty``, …), empty for a usable one.
    ``fingerprint`` is empty where it cannot be known without a passphrase.
    """

    path: str
    key_type: str = ""
    bits: int = 0
    fingerprint: str = ""
    encrypted: bool = False
    error_code: str = ""
    error: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleProbe:
    """One idle connection through the NAT.

    ``mode`` is ``push`` (the server speaks first after ``idle`` seconds) or ``echo`` (we do).
    ``outcome`` is ``alive``, ``silence``, ``rst``, ``fin``, ``not-started`` (its login failed),
    ``unfinished`` (interrupted) or ``refreshed`` (the server itself spoke meanwhile, every
    ``refresh`` seconds).  ``source`` is how the gateway sees our side (``SSH_CONNECTION``),
    ``local`` how we do.
    ``ended`` is after how many idle seconds an ``rst`` or ``fin`` came.
    """

    mode: str
    idle: float
    outcome: str
    text: str = ""
    refresh: float = 0.0
    ended: float = 0.0
    source: str = ""
    local: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleRun:
    """All idle probes of one measurement.

    ``method`` is ``exec`` (``sleep`` on the gateway), ``forward`` (a remote forward that another
    link knocks at; for accounts without a shell) or ``""`` when neither is allowed.  ``seconds`` is
    the wall time.
    """

    probes: tuple[IdleProbe, ...] = ()
    method: str = ""
    text: str = ""
    seconds: float = 0.0


Progress = Callable[[str], None]


class Ssh(Protocol):
    """SSH as netkit does it, for one target."""

    def route(self) -> Route:
        """Resolve the chain; touches no network."""

    def login(self) -> Login:
        """Connect and log in, once per run; later calls return the same answer."""

    def run(self, command: str, timeout: float = 10.0) -> RemoteOutput:
        """Run a command on the gateway (exec, no terminal); output is bounded to 1 MiB."""

    def sessions(self, count: int) -> int:
        """Open up to ``count`` sessions at once; return how many the gateway allowed."""

    def open(
        self, target: Address, timeout: float = 10.0, *, send: bytes = b"", receive: int = 0
    ) -> Opened:
        """Ask for a channel to ``target``; send and receive up to ``receive`` bytes, then close."""

    def listen(self, bind: Address, knocks: tuple[Knock, ...] = ()) -> Listened:
        """Have the gateway listen, make each knock with a nonce, stop listening.

        A knock whose address has port 0 means the port that was allocated.
        """

    def x11(self, command: str = "", timeout: float = 10.0) -> X11Answer:
        """Ask for X11 forwarding on a session that runs nothing, then close the session.

        ``command`` runs in another session while it is granted.  No file is changed there: sshd
        writes the cookie down when a session runs something.
        """

    def half_close(self) -> HalfClose:
        """Send EOF through a forward of our own and see whether the answer still comes."""

    def keepalive(self, timeout: float = 5.0) -> Answered:
        """Ask the gateway for a sign of life."""

    def server_keepalives(self) -> int:
        """Return how many keepalive requests the server has sent on the link so far."""

    def agent(self) -> AgentFacts:
        """Ask the agent for its keys; needs no gateway."""

    def key_file(self, path: str) -> KeyFileFacts:
        """Look at a private key file; asks for no passphrase."""

    def idle(self, times: tuple[float, ...], modes: tuple[str, ...], progress: Progress) -> IdleRun:
        """Leave one fresh connection per (time, mode) idle for that many seconds, side by side.

        Takes at most 1.15 times the longest time beyond the logins; interruptible by `cancel`.
        """

    def cancel(self) -> None:
        """Make every call that waits return soon; from any thread."""

    def close(self) -> None:
        """Log out; idempotent."""
