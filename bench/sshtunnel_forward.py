"""Forward ports with the sshtunnel package.

It offers no choice of algorithms; the gateway's configuration makes it.
"""

from __future__ import annotations

import signal

import sshtunnel
from forwarder_options import Options, read_options


def forward(options: Options) -> None:
    """Until a signal ends the process."""
    forwarder = sshtunnel.SSHTunnelForwarder(
        ("127.0.0.1", options.port),
        ssh_config_file=None,
        ssh_username=options.user,
        ssh_pkey=options.identity,
        host_pkey_directories=[],
        allow_agent=False,
        local_bind_addresses=[("127.0.0.1", local) for local, _ in options.forwards],
        remote_bind_addresses=[("127.0.0.1", target) for _, target in options.forwards],
    )
    forwarder.start()
    signal.pause()


if __name__ == "__main__":
    forward(read_options("sshtunnel forwarder"))
