"""A throw-away gateway that runs: where it is, how to log in, what it costs, how it ends."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from netkit.bench.trial.processes import Served
from netkit.errors import GatewayUnreachableError, NetkitError
from netkit.keys.make import write_key
from netkit.model import Endpoint, Hop, HostKeyPolicy

HOST: Final = "127.0.0.1"

ALIAS: Final = "netkit-trial"
"""What the host key is known under, whatever port leads to it (a HostKeyAlias)."""

CONNECT_TIMEOUT: Final = 10.0

Kind = Literal["sshd", "netkit"]


class TrialError(NetkitError):
    """No gateway could be started on this machine."""

    exit_code: ClassVar[int] = 3
    default_code: ClassVar[str] = "no-trial-gateway"


@dataclass(frozen=True, slots=True)
class Keys:
    """The files of one trial.

    Attributes:
        directory: where everything is; the user's alone.
        identity: the private key that may log in.
        public: its public line.
    """

    directory: Path
    identity: Path
    public: str

    @property
    def known_hosts(self) -> Path:
        """The file that knows the host key."""
        return self.directory / "known_hosts"

    @property
    def authorized(self) -> Path:
        """The file that lists `public`."""
        return self.directory / "authorized_keys"

    def know(self, host_key: str) -> None:
        """Write down that the gateway has ``host_key`` (``type base64``)."""
        self.known_hosts.write_text(f"{ALIAS} {host_key}\n", "utf-8")


def make_keys(directory: Path) -> Keys:
    """Make the key of the client in ``directory``; raises OSError."""
    identity = directory / "id_ed25519"
    keys = Keys(directory, identity, write_key(identity, "netkit-bench"))
    keys.authorized.write_text(f"{keys.public}\n", "utf-8")
    return keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A running throw-away gateway.

    Attributes:
        kind: ``sshd`` (the system's) or ``netkit`` (netkit's own, which only forwards).
        address: where it listens.
        user: who may log in.
        keys: its files.
        server: its process.
        why: why it is not the system's sshd although that was wanted; empty where it is, or
            where it was not.
    """

    kind: Kind
    address: Endpoint
    user: str
    keys: Keys
    server: Served
    why: str = ""

    def hop(
        self,
        address: Endpoint | None = None,
        *,
        ciphers: tuple[str, ...] = (),
        compression: bool = False,
    ) -> Hop:
        """Return the hop that leads here, through ``address`` (a shaper's) if it is given."""
        through = address or self.address
        return Hop(
            alias=ALIAS,
            host=through.host,
            port=through.port,
            user=self.user,
            name=ALIAS,
            known_hosts=(self.keys.known_hosts,),
            host_key=HostKeyPolicy.STRICT,
            identities=(self.keys.identity,),
            identities_explicit=True,
            identities_only=True,
            auth_methods=("publickey",),
            ciphers=ciphers,
            compression=compression,
            connect_timeout=CONNECT_TIMEOUT,
        )

    def cpu_seconds(self) -> float | None:
        """Return the CPU time that serving has taken so far; None where it cannot be seen.

        Commands that clients start are not counted.
        """
        return self.server.cpu_seconds()

    def stop(self) -> None:
        """End the gateway and all it has started, and remove its files; idempotent."""
        self.server.stop(self.address.port)
        shutil.rmtree(self.keys.directory, ignore_errors=True)


def cancelled_error() -> NetkitError:
    """Return what a start that is interrupted raises, as `open_session` does."""
    return GatewayUnreachableError("starting a gateway was cancelled", code="cancelled")


def check_cancelled(cancelled: threading.Event) -> None:
    """Raise `cancelled_error` if it is."""
    if cancelled.is_set():
        raise cancelled_error()
