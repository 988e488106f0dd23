"""The agent client: a real ssh-agent, and agents that lie, stall and die."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netkit.engine.transport import agent as module
from netkit.engine.transport import signatures
from netkit.engine.transport.agent import Agent, AgentError, open_agent
from netkit.wire.messages import string, u32
from support.agent import Agent as RealAgent
from support.sshd import make_key


@contextmanager
def false_agent(*replies: bytes, close: bool = True):
    """An agent that sends these frames whatever it is asked."""
    ours, theirs = socket.socketpair()

    def run() -> None:
        with theirs:
            for reply in replies:
                if not theirs.recv(65536):
                    return
                theirs.sendall(reply)
            while not close and theirs.recv(65536):
                pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with Agent(ours) as agent:
            yield agent
    finally:
        thread.join(10)


def opened(real: RealAgent) -> Agent:
    agent = open_agent(str(real.socket))
    assert agent is not None
    return agent


def frame(payload: bytes) -> bytes:
    return u32(len(payload)) + payload


KEY = string("sk-ssh-ed25519@openssh.com") + string(bytes(32)) + string("ssh:")


class TestReal:
    @pytest.fixture
    def real(self, tmp_path):
        with RealAgent() as agent:
            for kind in ("ed25519", "ecdsa"):
                agent.add(make_key(tmp_path / kind, kind))
            agent.add(make_key(tmp_path / "rsa", "rsa", "-b", "2048"))
            yield agent

    def test_keys(self, real):
        with opened(real) as agent:
            keys = agent.list_keys()
        assert [key.comment for key in keys] == ["ed25519", "ecdsa", "rsa"]

    @pytest.mark.parametrize(
        ("index", "algorithm"),
        [(0, "ssh-ed25519"), (1, "ecdsa-sha2-nistp256"), (2, "rsa-sha2-256"), (2, "rsa-sha2-512")],
    )
    def test_signatures(self, real, index, algorithm):
        with opened(real) as agent:
            blob = agent.list_keys()[index].blob
            signature = agent.sign(blob, algorithm, b"data")
        assert signatures.verify(blob, signature, b"data", algorithms=[algorithm])

    def test_key_that_is_gone(self, real):
        with opened(real) as agent:
            blob = agent.list_keys()[0].blob
            real.remove_all()
            assert agent.list_keys() == ()
            with pytest.raises(AgentError) as caught:
                agent.sign(blob, "ssh-ed25519", b"data")
        assert caught.value.code == "agent-refused"


class TestFalse:
    def test_opaque_keys_pass_through(self):
        reply = frame(b"\x0c" + u32(1) + string(KEY) + string("tok\x1ben"))
        with false_agent(reply) as agent:
            (key,) = agent.list_keys()
        assert (key.blob, key.comment) == (KEY, "tok?en")

    def test_opaque_signature_passes_through(self):
        signature = string("sk-ssh-ed25519@openssh.com") + string(bytes(64)) + b"\1\0\0\0\7"
        with false_agent(frame(b"\x0e" + string(signature))) as agent:
            assert agent.sign(KEY, "sk-ssh-ed25519@openssh.com", b"data") == signature

    def test_sha1_signature_is_refused(self):
        signature = string("ssh-rsa") + string(bytes(256))
        with false_agent(frame(b"\x0e" + string(signature))) as agent:
            with pytest.raises(AgentError) as caught:
                agent.sign(string("ssh-rsa"), "rsa-sha2-512", b"data")
        assert caught.value.code == "agent-too-old"

    @pytest.mark.parametrize(
        "reply",
        [
            b"",
            u32(0),
            u32(module.MAX_REPLY + 1),
            u32(100) + b"\x0c",
            frame(b"\x05"),
            frame(b"\x0c"),
            frame(b"\x0c" + u32(module.MAX_KEYS + 1)),
            frame(b"\x0c" + u32(2) + string(KEY) + string("")),
            frame(b"\x0c" + u32(1) + u32(2**31)),
        ],
    )
    def test_broken_lists(self, reply):
        with false_agent(reply) as agent, pytest.raises(AgentError):
            agent.list_keys()

    def test_silence_is_bounded(self, monkeypatch):
        monkeypatch.setattr(module, "LIST_TIMEOUT", 0.1)
        with false_agent(b"\0\0", close=False) as agent:
            with pytest.raises(AgentError) as caught:
                agent.list_keys()
            assert caught.value.code == "agent-timeout"

    @settings(max_examples=25)
    @given(st.binary(min_size=1, max_size=120))
    def test_any_reply_gives_keys_or_the_declared_error(self, payload):
        with false_agent(frame(payload)) as agent:
            with suppress(AgentError):
                assert len(agent.list_keys()) <= len(payload)


class TestOpening:
    def test_none(self):
        assert open_agent("") is None

    @pytest.mark.parametrize("name", ["missing", "x" * 300, "nul\0"])
    def test_nobody_there(self, tmp_path, name):
        with pytest.raises(AgentError) as caught:
            open_agent(f"{tmp_path}/{name}")
        assert caught.value.code == "agent-unreachable"

    def test_stale_socket(self, tmp_path):
        path = tmp_path / "s"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        with pytest.raises(AgentError) as caught:
            open_agent(str(path))
        assert str(path) in caught.value.summary
