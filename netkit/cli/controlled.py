"""Making a tunnel that starts one that can be asked: its name is claimed, its socket opened.

One name, one tunnel: a second one of a name is an error.  One that no profile names is called as
its gateway is, and a further one through the same gateway gets a number.  Without a place for
claim or socket the tunnel goes on, and says that it cannot be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from netkit.cli.main import PROGRAM
from netkit.control.answers import Answers, EventLog
from netkit.control.server import ControlServer
from netkit.desktop import instance
from netkit.desktop.addresses import forward_for
from netkit.desktop.clients import Kind
from netkit.desktop.instance import Claim, Holder
from netkit.desktop.sessions import SessionNote
from netkit.errors import BindError, NetkitError, UsageError
from netkit.events import Event, FlowClosed, FlowFailed, FlowOpened, Notice
from netkit.model import Endpoint, Fix, ForwardKind

if TYPE_CHECKING:
    from netkit.cli.naming import Naming
    from netkit.cli.services import ForwardLike, TunnelLike
    from netkit.model import Plan
    from netkit.supervision import Supervised

MAX_NUMBER: Final = 100
"""Tunnels through one gateway that get a name of their own."""


class Control:
    """What makes one tunnel answer from its start to its end: a watcher of its job."""

    def __init__(self, naming: Naming, gateway: str, end: Callable[[float | None], None]) -> None:
        """``end`` ends the tunnel with so many seconds for its flows; None: as it was started."""
        self._naming = naming
        self._gateway = gateway
        self._end = end
        self._log = EventLog()
        self._tunnel: TunnelLike | None = None
        self._claim: Claim | None = None
        self._server: ControlServer | None = None
        self.name = naming.name

    def begin(self, tunnel: TunnelLike, plan: Plan, tell: Callable[[Event], None]) -> None:
        """Claim the name and answer, before anything is touched; ``tell`` prints.

        Raises:
            BindError: such a tunnel runs already.
        """
        binds = binds_of(plan)
        self._tunnel = tunnel
        try:
            self._claim = self._naming.claim or self._claimed(binds)
        except UsageError as error:  # there is no place for a lock
            self._unavailable(error, tell)
            return
        self._claim.tell(gateway=self._gateway, binds=binds)
        earlier = getattr(tunnel, "earlier", None)
        if earlier is not None:
            earlier.keep_in(SessionNote(self.name, self._gateway))
        if hasattr(tunnel, "view"):
            self._serve(cast("Supervised", tunnel), self._claim, tell)

    def _serve(self, tunnel: Supervised, claim: Claim, tell: Callable[[Event], None]) -> None:
        answers = Answers(tunnel, self._log, name=self.name, gateway=self._gateway, end=self._end)
        server = ControlServer(answers)
        try:
            point = server.start(claim.path)
        except NetkitError as error:
            self._unavailable(error, tell)
            return
        self._server = server
        claim.tell(control=point)

    def see(self, event: Event) -> None:
        """Keep an event of the tunnel for whoever asks."""
        if not isinstance(event, FlowOpened | FlowClosed | FlowFailed):
            self._log.add(event)

    def up(self) -> None:
        """Tell who comes second where the tunnel listens."""
        if self._claim is not None and self._tunnel is not None and self._naming.claim is None:
            self._claim.tell(addresses_of(self._tunnel.forwards, self._naming.launch))

    def end(self) -> None:
        """Answer no more, and give the name back.  Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        claim, self._claim = self._claim, None
        if claim is not None and claim is not self._naming.claim:
            claim.close()

    def _claimed(self, binds: Sequence[str]) -> Claim:
        naming = self._naming
        for number in range(naming.first, naming.first + MAX_NUMBER):
            name = naming.name if number == 1 else f"{naming.name}-{number}"
            found = instance.claim(name)
            if isinstance(found, Claim):
                self.name = name
                return found
            if naming.is_profile or (binds and set(found.binds) == set(binds)):
                raise already_running(name, found)
        raise UsageError(f"{MAX_NUMBER} tunnels through {self._gateway} run", code="too-many")

    def _unavailable(self, error: NetkitError, tell: Callable[[Event], None]) -> None:
        text = f"{error.summary}; {PROGRAM} status and down will not find this tunnel"
        tell(Notice(code="control-unavailable", text=text))


def already_running(name: str, holder: Holder) -> BindError:
    """Return the error that the tunnel ``name`` runs."""
    where = f", at {holder.addresses[0]}" if holder.addresses else ""
    state = "runs" if holder.addresses or holder.control else "starts"
    return BindError(
        f"{name} {state} already ({holder}){where}",
        code="already-running",
        cause="it was started before, here or in the background",
        fixes=(
            Fix((PROGRAM, "status", name)),
            Fix((PROGRAM, "down", name), note="ends it"),
        ),
    )


def binds_of(plan: Plan) -> tuple[str, ...]:
    """Return what can be listened on once, in words to compare: no port that the system chooses."""
    return tuple(
        f"{each.kind.value} {each.bind}"
        for each in plan.forwards
        if not isinstance(each.bind, Endpoint) or each.bind.port
    )


def addresses_of(forwards: Sequence[ForwardLike], launch: str) -> list[Endpoint]:
    """Return where the tunnel listens here: for the client ``launch``, else every address."""
    found = list(forwards)
    index = forward_for(Kind(launch), [each.spec for each in found]) if launch else None
    if index is not None:
        found = [found[index]]
    return [
        address
        for each in found
        if each.spec.kind is not ForwardKind.REMOTE
        for address in each.addresses[:1]
        if isinstance(address, Endpoint)
    ]
