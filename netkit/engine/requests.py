"""Requests of the peer, about a channel or the whole link, and its answers to ours.

RFC 4254 sections 4 and 5.4.  In the thread of the link's loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netkit.engine.memory_channel import MemoryChannel

if TYPE_CHECKING:
    from netkit.engine.link import Link
    from netkit.wire import mux as m


def of_channel(link: Link, event: m.ChannelRequest) -> None:
    """Have the channel's user, then ``link.on_request`` take it; refuse it where nobody does."""
    user = event.channel.user
    taken = isinstance(user, MemoryChannel) and user.requested(event)
    if not taken and link.on_request is not None:
        taken = link.on_request(event)
    if not taken and event.want_reply:
        link.mux.answer(event.channel, ok=False)


def channel_answer(event: m.ChannelReply) -> None:
    """Tell the channel's user."""
    user = event.channel.user
    if isinstance(user, MemoryChannel):
        user.replied(ok=event.ok)


def of_link(link: Link, event: m.GlobalRequest) -> None:
    """Have ``link.on_global`` take it; refuse it where nobody does."""
    if link.on_global is not None and link.on_global(event):
        return
    if event.want_reply:
        # A keepalive of the peer (OpenSSH's ClientAlive) takes any answer as life.
        link.mux.answer_global(ok=False)


def link_answer(event: m.GlobalReply) -> None:
    """Tell who asked."""
    event.token(event.ok, event.data)
