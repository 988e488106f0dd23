"""Forward ports with asyncssh, as its documentation shows."""

from __future__ import annotations

import asyncio

import asyncssh
from forwarder_options import Options, read_options


async def forward(options: Options) -> None:
    """Until the connection ends."""
    connection = await asyncssh.connect(
        "127.0.0.1",
        options.port,
        username=options.user,
        client_keys=[options.identity],
        known_hosts=options.known_hosts,
        agent_path=None,
        config=None,
        compression_algs=["none"],
        encryption_algs=list(options.ciphers) or (),
        mac_algs=list(options.macs) or (),
    )
    async with connection:
        for local, target in options.forwards:
            await connection.forward_local_port("127.0.0.1", local, "127.0.0.1", target)
        await connection.wait_closed()


if __name__ == "__main__":
    asyncio.run(forward(read_options("asyncssh forwarder")))
