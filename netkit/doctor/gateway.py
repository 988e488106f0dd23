"""`GatewayExaminer`: the port `diagnostics.ssh.Ssh`, answered with netkit's engine.

One login per examination, made when it is first needed.  Everything is an answer: what fails says
so in its outcome.  `cancel` ends every wait; nothing is asked of a person without a prompter, and
nothing on the gateway is changed beyond what a question says.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from diagnostics.ssh import (
    AgentFacts,
    Answered,
    HalfClose,
    IdleRun,
    KeyFileFacts,
    Knock,
    Listened,
    Login,
    Opened,
    Progress,
    RemoteOutput,
    Route,
    X11Answer,
)
from netkit.doctor import facts
from netkit.doctor.answers import Answers
from netkit.doctor.slots import Slots
from netkit.environment import agent_path, read_environment
from netkit.errors import NetkitError
from netkit.model import Address, Plan, TunnelSpec
from netkit.plan import make_plan

if TYPE_CHECKING:
    from netkit.doctor.session import Access, Session
    from netkit.engine.exec_channel import Executed
    from netkit.engine.witness import Witness
    from netkit.prompt import Prompter

MAX_SESSIONS: Final = 100
SESSIONS_TIME: Final = 5.0
"""Seconds for the gateway to answer to all of them."""

CLOSE_TIME: Final = 5.0
"""Seconds that `GatewayExaminer.close` waits for a login under way."""

QUIET: Final = 0.3
"""Seconds of silence behind the first bytes of a target, after which it has had its say."""

_TICK: Final = 0.1
_OVER: Final = Login(error_code="cancelled", error="the examination was interrupted")


class GatewayExaminer:
    """SSH for one target; ``spec`` None means that there is no gateway.

    ``prompter`` is asked what a login wants to know, once per question; ``password`` goes to the
    last hop.
    """

    def __init__(
        self,
        spec: TunnelSpec | None,
        *,
        prompter: Prompter | None = None,
        password: str | None = None,
    ) -> None:
        self._spec = spec
        self._answers = None if prompter is None else Answers(prompter)
        self._password = password
        self._cancelled = threading.Event()
        self._plan_lock = threading.Lock()
        self._plan: Plan | NetkitError | None = None
        self._login_lock = threading.Lock()
        self._login: Login | None = None
        self._session: Session | None = None
        self._slots = Slots()
        self._listen_turn = threading.Lock()

    # --- the way there ---

    def route(self) -> Route:
        """Resolve the chain; touches no network."""
        plan = self._planned()
        if plan is None:
            return Route()
        return facts.failed_route(plan) if isinstance(plan, NetkitError) else facts.route_of(plan)

    def _planned(self) -> Plan | NetkitError | None:
        """Return the plan, or why there is none; None without a gateway."""
        with self._plan_lock:
            if self._plan is None and self._spec is not None:
                try:
                    self._plan = make_plan(self._spec, read_environment(self._spec))
                except NetkitError as error:
                    self._plan = error
            return self._plan

    def login(self) -> Login:
        """Connect and log in, once; later calls return the same answer."""
        while not self._login_lock.acquire(timeout=_TICK):
            if self._cancelled.is_set():
                return _OVER
        try:
            if self._login is None:
                self._login = _OVER if self._cancelled.is_set() else self._log_in()
            return self._login
        finally:
            self._login_lock.release()

    def _log_in(self) -> Login:
        plan = self._planned()
        if plan is None:
            return Login()
        if isinstance(plan, NetkitError):
            return facts.failed_plan(plan)
        # The engine, and paramiko with it, is loaded when there is a gateway to talk to.
        from netkit.doctor.session import open_session

        notices: list[tuple[str, str]] = []
        witnesses: list[Witness] = []
        access = self._access(plan, notices)
        began = time.monotonic()
        error: NetkitError | None = None
        auth = ""
        try:
            self._session = open_session(access, witnesses)
            auth = self._session.hops[-1].transport.auth_method
            if self._cancelled.is_set():
                self._session.abandon()
        except NetkitError as failure:
            error = failure
        if not witnesses:
            return facts.failed_plan(error) if error else Login()
        return facts.login_of(
            witnesses[-1],
            error,
            hop_at=len(witnesses) - 1,
            auth=auth,
            notices=notices,
            seconds=time.monotonic() - began,
        )

    def _access(self, plan: Plan, notices: list[tuple[str, str]]) -> Access:
        def notice(code: str, text: str) -> None:
            notices.append((code, text))

        from netkit.doctor.session import Access

        return Access(
            plan=plan,
            prompter=self._answers,
            password=self._password,
            cancelled=self._cancelled,
            notice=notice,
        )

    def _ready(self) -> Session | None:
        """Log in if that has not been tried; return the session, None where there is none."""
        self.login()
        return self._session

    # --- through it ---

    def run(self, command: str, timeout: float = 10.0) -> RemoteOutput:
        """Run a command on the gateway (exec, no terminal); output is bounded to 1 MiB."""
        session = self._ready()
        if session is None:
            return RemoteOutput(command=command, outcome="no-login")
        deadline = time.monotonic() + timeout
        done: Executed | None = None
        turn = self._slots.alone if _one_by_one(session) else self._slots.shared
        with turn(deadline) as mine:
            if mine:
                done = session.run(command, deadline - time.monotonic())
        if done is not None and done.outcome == "no-session":
            # Perhaps there were too many of ours; alone it is certain.
            with self._slots.alone(deadline) as mine:
                if mine:
                    session.settle(deadline)
                    done = session.run(command, deadline - time.monotonic())
        if done is None:
            return RemoteOutput(command=command, outcome="timed-out", seconds=timeout)
        return facts.output_of(command, done)

    def sessions(self, count: int) -> int:
        """Open up to ``count`` sessions at once; return how many the gateway allowed."""
        session = self._ready()
        if session is None:
            return 0
        deadline = time.monotonic() + SESSIONS_TIME
        with self._slots.alone(deadline) as mine:
            return session.count_sessions(min(count, MAX_SESSIONS), deadline) if mine else 0

    def open(
        self, target: Address, timeout: float = 10.0, *, send: bytes = b"", receive: int = 0
    ) -> Opened:
        """Ask for a channel to ``target``; send and receive up to ``receive`` bytes, then close."""
        session = self._ready()
        if session is None:
            return Opened(target=target, outcome="no-login")
        began = time.monotonic()
        deadline = began + timeout
        channel = session.open(target, send)
        channel.wait_open(deadline)
        took = time.monotonic() - began
        if receive:
            channel.wait_quiet(receive, QUIET, deadline)
        with channel.changed:
            opened = facts.opened_of(target, channel, took, receive)
        channel.close()
        return opened

    def listen(self, bind: Address, knocks: tuple[Knock, ...] = ()) -> Listened:
        """Have the gateway listen, make each knock with a nonce, stop listening."""
        session = self._ready()
        if session is None:
            return Listened(bind=bind, outcome="no-login")
        from netkit.doctor.knocks import listen

        return listen(session, bind, knocks, cancelled=self._cancelled, turn=self._listen_turn)

    def x11(self, command: str = "", timeout: float = 10.0) -> X11Answer:
        """Ask for X11 forwarding on a session that runs nothing, then close the session."""
        session = self._ready()
        if session is None:
            return X11Answer(outcome="no-login")
        from netkit.doctor.x11 import ask_x11

        deadline = time.monotonic() + timeout
        # The messages of the gateway name no session, and dropbear bears one at a time.
        with self._slots.alone(deadline) as mine:
            if not mine:
                return X11Answer(outcome="timed-out")
            return ask_x11(session, "" if _one_by_one(session) else command, deadline)

    def half_close(self) -> HalfClose:
        """Send EOF through a forward of our own and see whether the answer still comes."""
        session = self._ready()
        if session is None:
            return HalfClose(outcome="no-login")
        from netkit.doctor.half_close import half_close

        return half_close(session)

    def keepalive(self, timeout: float = 5.0) -> Answered:
        """Ask the gateway for a sign of life."""
        session = self._ready()
        if session is None:
            return Answered(outcome="no-login")
        seconds = session.keepalive(timeout)
        if seconds is not None:
            return Answered(outcome="ok", seconds=seconds)
        return Answered(outcome="link-lost" if session.has_ended else "timed-out")

    def server_keepalives(self) -> int:
        """Return how many keepalive requests the server has sent on the link so far."""
        session = self._session
        return session.server_keepalives if session is not None else 0

    def idle(self, times: tuple[float, ...], modes: tuple[str, ...], progress: Progress) -> IdleRun:
        """Leave one fresh connection per (time, mode) idle for that many seconds, side by side."""
        plan = self._planned()
        if not isinstance(plan, Plan) or not self.login().done:
            return IdleRun(text="there is no login")
        from netkit.doctor.idle import idle

        return idle(self._access(plan, []), times, modes, progress, self._cancelled)

    # --- credentials ---

    def agent(self) -> AgentFacts:
        """Ask the agent for its keys; needs no gateway."""
        from netkit.doctor.credentials import ask_agent

        plan = self._planned()
        hop = plan.hops[-1] if isinstance(plan, Plan) else None
        return ask_agent(agent_path() if hop is None else hop.identity_agent)

    def key_file(self, path: str) -> KeyFileFacts:
        """Look at a private key file; asks for no passphrase."""
        from netkit.doctor.credentials import look_at_key

        return look_at_key(path)

    # --- the end ---

    def cancel(self) -> None:
        """Make every call that waits return soon; from any thread."""
        self._cancelled.set()
        session = self._session
        if session is not None:
            session.abandon()

    def close(self) -> None:
        """Log out; idempotent."""
        self.cancel()
        # A login may wait for what cannot be interrupted, such as an agent.
        if not self._login_lock.acquire(timeout=CLOSE_TIME):
            return
        try:
            if self._session is not None:
                self._session.close()
        finally:
            self._login_lock.release()


def _one_by_one(session: Session) -> bool:
    """Whether this gateway must not be asked to run several commands at once.

    Since 2022.82 dropbear takes a session whose command has not been named yet for one that is
    over, whenever another's command ends, and then fails an assertion, which ends the connection
    (mkj/dropbear issue 321, mended by its pull request 326).
    """
    return "dropbear" in session.link.peer_version
