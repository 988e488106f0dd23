"""The live screen: looks at the tunnels, draws, reads keys, does what they ask for."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Final

from netkit.cli.running import NotRunningError, all_running, chosen
from netkit.cli.top.keys import Keyboard, keyboard
from netkit.cli.top.model import (
    Action,
    Change,
    Kick,
    Kill,
    Look,
    Mode,
    Quit,
    Row,
    Scene,
    State,
    press,
    rows,
    shown,
)
from netkit.cli.top.peers import Peers
from netkit.cli.top.screen import Line, screen
from netkit.control import client
from netkit.control.protocol import Request
from netkit.errors import NetkitError, UsageError
from netkit.model import ForwardKind, ForwardSpec

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text

    from netkit.cli.output import Output
    from netkit.desktop.instance import Holder

_PATIENCE: Final = 2.0
"""Seconds that a tunnel may take to answer."""

_KINDS: Final = {
    "-L": ForwardKind.LOCAL,
    "--bind": ForwardKind.LOCAL,
    "-R": ForwardKind.REMOTE,
    "-D": ForwardKind.DYNAMIC,
}


def look_at(holder: Holder) -> Look:
    """Return what a tunnel is like now."""
    try:
        running = client.status(holder, _PATIENCE)
        flows = client.flows(holder, _PATIENCE)
    except NetkitError as error:
        return Look(time.monotonic(), holder.name, trouble=error.summary)
    return Look(time.monotonic(), holder.name, running, flows)


def print_once(name: str, interval: float, output: Output) -> int:
    """Print one picture of each tunnel, or of ``name``: two looks, so that there are rates.

    Raises:
        NotRunningError: none runs, or none of that name.
    """
    holders = chosen([name] if name else [])
    before = [look_at(each) for each in holders]
    threading.Event().wait(min(interval, 1.0))
    width = max(shutil.get_terminal_size((160, 50)).columns, 80)
    peers = Peers()
    for holder, first in zip(holders, before, strict=True):
        now = look_at(holder)
        state = State()
        table = rows(first, now, peers.of(each.source for each in now.flows), state)
        for line in screen(now, table, state, width, len(table) + 60)[:-1]:
            if line.text.strip():
                output.data(line.text.rstrip())
    return 0


class Live:
    """The screen from its beginning to its end."""

    def __init__(self, name: str, interval: float) -> None:
        """Show the tunnel ``name`` first, or the first there is."""
        self._state = State(tunnel=name)
        self._interval = interval
        self._looks: list[Look] = []
        self._before: dict[str, Look] = {}
        self._rows: tuple[Row, ...] = ()
        self._peers = Peers()
        self._bell, self._ring = socket.socketpair()

    def run(self) -> int:
        """Show it until somebody leaves; return the exit code."""
        try:
            return self._run()
        except KeyboardInterrupt:
            return 130

    def _run(self) -> int:
        from rich.console import Console
        from rich.live import Live as RichLive

        live = RichLive(console=Console(), screen=True, auto_refresh=False, transient=True)
        with self._bell, self._ring, keyboard() as keys, live, self._signals(live, keys):
            self._look()
            while True:
                live.update(self._picture(live.console.width, live.console.height), refresh=True)
                until = time.monotonic() + self._interval
                try:
                    pressed = keys.read(max(until - time.monotonic(), 0), self._bell.fileno())
                except EOFError:
                    return 0
                self._quiet()
                for key in pressed:
                    if self._press(key):
                        return 0
                if not pressed and not self._state.paused:
                    self._look()

    def _quiet(self) -> None:
        self._bell.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)

    @contextlib.contextmanager
    def _signals(self, live: RichLive, keys: Keyboard) -> Iterator[None]:
        """Give the terminal back while we are stopped, and draw anew when its size changes."""
        if sys.platform == "win32":
            yield
            return

        def stopped(_number: int, _frame: FrameType | None) -> None:
            live.stop()
            keys.leave()
            os.kill(os.getpid(), signal.SIGSTOP)
            keys.enter()
            live.start()

        def resized(_number: int, _frame: FrameType | None) -> None:
            with contextlib.suppress(OSError):
                self._ring.send(b"\0")

        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, stopped),
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, resized),
            signal.SIGTERM: signal.signal(signal.SIGTERM, _leave),
            signal.SIGHUP: signal.signal(signal.SIGHUP, _leave),
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _look(self) -> None:
        self._before = {each.name: each for each in self._looks}
        self._looks = [look_at(each) for each in all_running()]

    def _picture(self, width: int, height: int) -> Text:
        look = shown(self._state, self._looks)
        self._rows = ()
        if look is not None:
            if look.name != self._state.tunnel and not self._state.tunnel:
                self._state = replace(self._state, tunnel=look.name)
            peers = self._peers.of(each.source for each in look.flows)
            self._rows = rows(self._before.get(look.name), look, peers, self._state)
        others = max(len(self._looks) - 1, 0)
        return _text(screen(look, self._rows, self._state, width, height, others))

    def _press(self, key: str) -> bool:
        """Do what a key is for; return whether to leave."""
        scene = Scene(
            tuple(each.name for each in self._looks), tuple(each.view.number for each in self._rows)
        )
        self._state, action = press(self._state, key, scene)
        if isinstance(action, Quit):
            return True
        if action is not None:
            try:
                self._do(action)
            except NetkitError as error:
                text = f"{error.summary} ({error.cause})" if error.cause else error.summary
                self._state = replace(self._state, message=text)
            self._look()
        return False

    def _do(self, action: Action) -> None:
        look = shown(self._state, self._looks)
        holder = next((each for each in all_running() if look and each.name == look.name), None)
        if holder is None:
            raise NotRunningError("the tunnel has ended")
        match action:
            case Kick():
                client.ask(holder, Request("kick"), _PATIENCE)
            case Kill(flow=flow):
                client.ask(holder, Request("kill", flow=flow), _PATIENCE)
                self._state = replace(self._state, message=f"flow {flow} was reset", flow=0)
            case Change(mode=mode, text=text):
                self._state = replace(self._state, message=_change(holder, mode, text))


def _change(holder: Holder, mode: Mode, text: str) -> str:
    """Add or remove a forward; return what to say."""
    from netkit.plan.binds import check_exposure

    spec = parse_typed(text, whole=mode is Mode.ADD)
    if mode is Mode.REMOVE:
        client.ask(holder, Request("remove", forwards=(spec,)))
        return f"{spec.kind.value} {spec.bind} is removed"
    check_exposure(spec, holder.gateway, expose=False)
    (added,) = client.add(holder, (spec,))
    return f"{spec.to or 'any host'} is at {', '.join(map(str, added.addresses))}"


def parse_typed(text: str, *, whole: bool) -> ForwardSpec:
    """Return the forward that was typed; without ``whole`` only its kind and bind count.

    Raises:
        UsageError: it is none.
    """
    from netkit.cli.remove import spec_of
    from netkit.text.forwards import parse_bind_to, parse_forward

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text} is no forward: {error}", code="bad-forward") from None
    if len(words) == 4 and (words[0], words[2]) == ("--bind", "--to"):
        return parse_bind_to(words[1], words[3])
    if len(words) != 2 or words[0] not in _KINDS:
        raise UsageError(
            f"{text} is no forward", code="bad-forward", cause="it begins with -L, -R or -D"
        )
    kind = _KINDS[words[0]]
    if not whole:
        return spec_of(kind, words[1])
    return parse_bind_to(words[1], None) if words[0] == "--bind" else parse_forward(kind, words[1])


def _text(lines: list[Line]) -> Text:
    from rich.text import Text

    made = Text(no_wrap=True, overflow="crop", end="")
    for at, line in enumerate(lines):
        made.append(line.text, line.style)
        if at + 1 < len(lines):
            made.append("\n")
    return made


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
