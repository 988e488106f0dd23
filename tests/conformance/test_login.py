"""What a refused login does, and does not: pitfall 21; more in tests/netkit/engine/transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from netkit.errors import AuthenticationError
from support import tunnels
from support.agent import Agent
from support.sshd import make_key
from support.tunnels import TestGateway, tunnel


def test_wrong_key_is_no_matter_for_another_try(gateway: TestGateway, tmp_path: Path):
    run = tunnels.make(gateway.hop(identities=(make_key(tmp_path / "wrong"),)))
    with pytest.raises(AuthenticationError) as caught:
        run.tunnel.start()
    assert caught.value.exit_code == 6
    assert not caught.value.retryable
    assert "wrong" in caught.value.cause
    assert run.tunnel.ended


def test_rejected_password_is_tried_once(tmp_path: Path):
    tried = []
    with tunnels.start("asyncssh", tmp_path, password="right") as gateway:
        login = gateway.server.password

        class Counting(str):
            __slots__ = ()

            def __eq__(self, other: object) -> bool:
                tried.append(other)
                return str(self) == other

            __hash__ = str.__hash__

        gateway.server.password = Counting(login)
        hop = gateway.hop(identities=(), auth_methods=("password",), password_prompts=3)
        run = tunnels.make(hop, password="wrong")
        with pytest.raises(AuthenticationError):
            run.tunnel.start()
        assert len(tried) == 1
        with tunnel(hop, password="right"):
            assert len(tried) == 2


def test_many_keys_of_the_agent_do_not_use_up_the_tries(tmp_path: Path, sshd: TestGateway):
    """MaxAuthTries is six; only the key that is meant is offered with IdentitiesOnly."""
    with Agent() as agent:
        for number in range(10):
            agent.add(make_key(tmp_path / f"key{number}"))
        agent.add(sshd.client_key)
        hop = sshd.hop(identity_agent=str(agent.socket), identities_only=True)
        with tunnel(hop) as run:
            assert not run.tunnel.ended
