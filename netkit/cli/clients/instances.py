"""``netkit up --once``: a tunnel that runs already is found, and not started again."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netkit.cli.clients.launching import Launcher, order_of
from netkit.cli.controlled import addresses_of
from netkit.cli.lifecycle import run_job
from netkit.cli.output import Output, is_terminal
from netkit.cli.render import clean
from netkit.desktop import instance
from netkit.desktop.addresses import forward_for
from netkit.desktop.clients import Kind
from netkit.desktop.instance import Claim, Holder
from netkit.model import Endpoint, Profile

if TYPE_CHECKING:
    from netkit.cli.services import TunnelLike
    from netkit.model import Plan


class Presence:
    """A companion that tells who comes second where the tunnel is, and the window what it shows."""

    def __init__(self, profile: Profile, claim: Claim) -> None:
        self._profile = profile
        self.claim = claim

    def up(self, tunnel: TunnelLike, _plan: Plan, _end: Callable[[], None]) -> None:
        """Write where the tunnel listens: for the profile's client, else every address."""
        self.claim.tell(addresses_of(tunnel.forwards, self._profile.launch))
        set_title(f"{self._profile.name}: up")

    def down(self) -> None:
        """Let somebody else run it."""
        set_title(f"{self._profile.name}: down")
        self.close()

    def close(self) -> None:
        """Give the claim back.  Idempotent."""
        self.claim.close()


def set_title(text: str) -> None:
    """Let the window of the terminal, if there is one, be called ``text`` (xterm's OSC 0)."""
    if is_terminal(sys.stderr):
        sys.stderr.write(f"\x1b]0;netkit {clean(text)}\x07")
        sys.stderr.flush()


def claim(profile: Profile, output: Output) -> Presence | Holder:
    """Return the company of a tunnel that runs once, or who runs it already, which is said.

    Raises:
        UsageError: the lock cannot be kept.
    """
    claimed = instance.claim(profile.name)
    if isinstance(claimed, Claim):
        return Presence(profile, claimed)
    state = "running" if claimed.addresses else "starting"
    where = f", at {claimed.addresses[0]}" if claimed.addresses else ""
    output.talk(f"{profile.name} is {state} already ({claimed}){where}")
    return claimed


@dataclass(frozen=True, slots=True)
class Once:
    """Which of several tunnels run already.

    Attributes:
        left: those that do not.
        present: the company of each of those, by name.
        others: those that do, and who runs them.
    """

    left: tuple[Profile, ...]
    present: dict[str, Presence]
    others: tuple[tuple[Profile, Holder], ...]


@contextlib.contextmanager
def once(profiles: Sequence[Profile], output: Output) -> Iterator[Once]:
    """Claim the tunnels that nobody runs, and give them back at the end.

    Raises:
        UsageError: a lock cannot be kept.
    """
    present: dict[str, Presence] = {}
    others = []
    try:
        for profile in profiles:
            found = claim(profile, output)
            if isinstance(found, Presence):
                present[profile.name] = found
            else:
                others.append((profile, found))
        left = tuple(profile for profile in profiles if profile.name in present)
        yield Once(left, present, tuple(others))
    finally:
        for each in present.values():
            each.close()


class _Clients:
    """A job: the clients of tunnels that other processes run."""

    def __init__(self, launchers: Sequence[tuple[Launcher, Endpoint, Profile]]) -> None:
        self._launchers = launchers

    def work(self) -> int:
        """Show them, one after another."""
        for launcher, address, profile in self._launchers:
            forwards = profile.tunnel.forwards
            index = forward_for(Kind(profile.launch), forwards)
            target = str(address) if index is None else str(forwards[index].to)
            launcher.show(address, target, str(profile.tunnel.gateway))
        return 0

    def stop(self, drain: float) -> None:  # noqa: ARG002 - there is no flow of ours
        """End what is shown."""
        for launcher, _, _ in self._launchers:
            launcher.leave()


def show_again(others: Sequence[tuple[Profile, Holder]], output: Output) -> int:
    """Start the clients of tunnels that run already; return the exit code.

    Raises:
        NetkitError: a server does not answer, or a client failed.
    """
    launchers = [
        (Launcher(order_of(profile, alone=True), output), holder.addresses[0], profile)
        for profile, holder in others
        if profile.launch and holder.addresses
    ]
    return run_job(_Clients(launchers)) if launchers else 0
