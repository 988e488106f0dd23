"""The X server of a desktop: real ones, and everything that can be wrong with them."""

from __future__ import annotations

import getpass
import os
import signal
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netkit import programs
from netkit.desktop import x_talk
from netkit.desktop.display import LIFETIME, Machine, find, where
from netkit.desktop.x_talk import Place, ask
from netkit.errors import NetkitError, UsageError
from netkit.model import Endpoint, UnixPath, X11Trust
from netkit.programs import Ran
from netkit.wire.x11 import MAGIC_COOKIE
from support import targets
from support.faults import Direction, FaultProxy
from support.waiting import wait_until
from support.xvfb import INTERNET, Xvfb, entry

TRUSTED, UNTRUSTED = X11Trust.TRUSTED, X11Trust.UNTRUSTED


def machine(home: Path, display: str, system: str = "linux", **variables: str) -> Machine:
    known = {"PATH": os.environ["PATH"], "DISPLAY": display, "HOME": str(home), **variables}
    return Machine(known, home, socket.gethostname(), system)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Xvfb(tmp_path_factory.mktemp("x"), "-noreset", tcp=True) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, server: Xvfb) -> Path:
    server.give(tmp_path / ".Xauthority")
    return tmp_path


def failure(trust: X11Trust, of: Machine) -> NetkitError:
    with pytest.raises(NetkitError) as caught:
        find(trust, of)
    error = caught.value
    assert error.cause
    assert error.fixes
    return error


class TestTrusted:
    def test_its_own_cookie_by_the_unix_socket(self, server, home):
        found = find(TRUSTED, machine(home, f"{server.display}.0"))
        assert found.server.address == UnixPath(str(server.socket_path))
        assert found.server.cookie == server.cookie
        assert found.server.name == f"{server.display}.0"
        assert (found.open, found.warnings) == (False, ())

    def test_screen(self, server, home):
        assert find(TRUSTED, machine(home, f"{server.display}.3")).server.screen == 3

    def test_tcp(self, server, home):
        found = find(TRUSTED, machine(home, f"127.0.0.1:{server.number}"))
        assert found.server.address == Endpoint("127.0.0.1", server.port)
        assert found.server.cookie == server.cookie

    def test_tcp_by_name(self, server, home):
        found = find(TRUSTED, machine(home, f"localhost:{server.number}"))
        assert found.server.address.port == server.port

    def test_another_address_has_a_cookie_of_its_own(self, server, home):
        there = f"127.0.0.2:{server.number}"
        assert failure(TRUSTED, machine(home, there)).code == "x-no-cookie"
        address = socket.inet_aton("127.0.0.2")
        made = entry(server.cookie, server.number, family=INTERNET, address=address)
        server.give(home / ".Xauthority", made)
        assert find(TRUSTED, machine(home, there)).server.cookie == server.cookie

    def test_xauthority_names_the_file(self, server, tmp_path):
        server.give(tmp_path / "elsewhere")
        known = machine(tmp_path, server.display, XAUTHORITY=str(tmp_path / "elsewhere"))
        assert find(TRUSTED, known).server.cookie == server.cookie

    def test_windows_has_a_default(self, monkeypatch, home):
        monkeypatch.setattr("netkit.desktop.display._WINDOWS_DISPLAY", "127.0.0.1:59123")
        error = failure(TRUSTED, machine(home, "", "win32"))
        assert (error.code, error.exit_code) == ("x-display-stale", 3)
        assert "127.0.0.1:59123" in error.summary

    def test_path_of_launchd(self, server, home):
        """XQuartz: DISPLAY is the socket, with ``:0`` in its name; the cookie is that of 0."""
        with targets.short_directory() as directory:
            link = Path(directory) / "org.xquartz:0"
            link.symlink_to(server.socket_path)
            server.give(home / ".Xauthority", entry(server.cookie, 0))
            found = find(TRUSTED, machine(home, str(link), "darwin"))
            assert found.server.address == UnixPath(str(link))
            assert find(TRUSTED, machine(home, f"{link}.1", "darwin")).server.screen == 1

    def test_server_that_asks_nobody(self, tmp_path):
        with Xvfb(tmp_path, control=False) as open_server:
            found = find(TRUSTED, machine(tmp_path, open_server.display))
        assert found.open
        assert found.server.cookie == b""
        assert "xhost -" in found.warnings[0]

    def test_server_that_lets_this_account_in(self, tmp_path):
        with Xvfb(tmp_path, "-noreset") as server:
            server.let_in(getpass.getuser())
            found = find(TRUSTED, machine(tmp_path, server.display))
            assert (found.server.cookie, found.open) == (b"", False)
            # what cannot be sent does no harm, but is told of
            server.give(tmp_path / ".Xauthority", entry(b"", server.number))
            found = find(TRUSTED, machine(tmp_path, server.display))
            assert (found.server.cookie, found.open) == (b"", False)
            assert "lets us in without" in found.warnings[0]

    def test_untrusted_is_not_taken_for_trusted_there(self, tmp_path, monkeypatch):
        """Such a server accepts any cookie of this account, and trusts who sends it."""
        with Xvfb(tmp_path, "-noreset") as server:
            server.let_in(getpass.getuser())
            server.give(tmp_path / ".Xauthority")
            run = programs.run

            def forging(argv, **more):
                done = run(argv, **more)
                Path(argv[argv.index("-f") + 1]).write_bytes(entry(bytes(16), server.number))
                return done

            assert find(UNTRUSTED, machine(tmp_path, server.display)).server.untrusted
            monkeypatch.setattr(programs, "run", forging)
            error = failure(UNTRUSTED, machine(tmp_path, server.display))
            assert error.code == "x-ssh-untrusted"


def test_the_cookie_is_sent_at_once(server, home):
    """A display that is forwarded already tells its user of every program without one."""
    with FaultProxy(server.port) as proxy:
        number = proxy.port - 6000
        server.give(home / ".Xauthority", entry(server.cookie, number))
        find(TRUSTED, machine(home, f"127.0.0.1:{number}"))
        wait_until(lambda: not proxy.open_connections)
        # a setup with a cookie and two questions, once
        assert proxy.passed(Direction.TO_TARGET) == 48 + 16 + 4


class TestUntrusted:
    def test_a_cookie_that_limits(self, server, home):
        found = find(UNTRUSTED, machine(home, server.display))
        cookie = found.server.cookie
        assert cookie not in (b"", server.cookie)
        place = Place(found.server.address)
        assert ask(place, MAGIC_COOKIE, cookie).outcome == "accepted"
        # its programs do not even see that there is a SECURITY extension
        assert ask(place, MAGIC_COOKIE, cookie).reply.security is False
        assert ask(place, MAGIC_COOKIE, server.cookie).reply.security is True

    def test_each_has_its_own(self, server, home):
        made = {find(UNTRUSTED, machine(home, server.display)).server.cookie for _ in range(2)}
        assert len(made) == 2

    def test_nothing_secret_is_in_an_argument_list(self, server, home, monkeypatch):
        asked = []
        run = programs.run

        def watching(argv, **more):
            asked.append(argv)
            return run(argv, **more)

        monkeypatch.setattr(programs, "run", watching)
        cookie = find(UNTRUSTED, machine(home, server.display)).server.cookie
        assert asked[-1][-2:] == ("timeout", str(LIFETIME))
        assert server.cookie.hex() not in repr(asked)
        assert cookie.hex() not in repr(asked)

    def test_server_that_resets(self, tmp_path):
        with Xvfb(tmp_path) as forgetful:
            forgetful.give(tmp_path / ".Xauthority")
            error = failure(UNTRUSTED, machine(tmp_path, forgetful.display))
        assert error.code == "x-ssh-untrusted"
        assert "-noreset" in error.cause

    def test_server_without_the_extension(self, tmp_path):
        with Xvfb(tmp_path, "-noreset", "-extension", "SECURITY") as plain:
            plain.give(tmp_path / ".Xauthority")
            error = failure(UNTRUSTED, machine(tmp_path, plain.display))
            assert find(TRUSTED, machine(tmp_path, plain.display)).server.cookie == plain.cookie
        assert (error.code, error.exit_code) == ("x-ssh-untrusted", 3)
        assert error.fixes[0].argv == ("netkit", "forward", "...", "-Y")

    def test_no_xauth(self, server, home, monkeypatch):
        monkeypatch.setattr(programs, "find", lambda *_: None)
        assert failure(UNTRUSTED, machine(home, server.display)).code == "x-ssh-no-xauth"

    def test_xauth_that_fails(self, server, home, monkeypatch):
        monkeypatch.setattr(programs, "run", lambda *_, **__: Ran(1, errors=b"xauth:  no \x1b[m"))
        error = failure(UNTRUSTED, machine(home, server.display))
        assert error.code == "x-ssh-untrusted"
        assert error.cause == "xauth:  no ?[m"


class TestWhatIsWrong:
    @pytest.mark.parametrize("system", ["linux", "darwin"])
    def test_no_display(self, tmp_path, system):
        error = failure(TRUSTED, machine(tmp_path, "", system))
        assert (error.code, error.exit_code) == ("x-display-missing", 2)

    @pytest.mark.parametrize("text", ["x", ":", ":x", ":99999999999", "a::0", "dec/x:0", "\x1b:0"])
    def test_no_name_of_a_display(self, tmp_path, text):
        error = failure(TRUSTED, machine(tmp_path, text))
        assert (error.code, error.exit_code) == ("x-display-malformed", 2)
        assert "\x1b" not in error.summary

    def test_no_server(self, tmp_path):
        error = failure(TRUSTED, machine(tmp_path, ":59123"))
        assert error.code == "x-server-dead"
        assert "X59123" in error.cause

    def test_session_that_is_over(self, tmp_path):
        assert failure(TRUSTED, machine(tmp_path, "localhost:59123.0")).code == "x-display-stale"

    def test_host_without_address(self, tmp_path):
        assert failure(TRUSTED, machine(tmp_path, "no.such.invalid:0")).code == "x-display-host"

    def test_no_x_server(self, tmp_path):
        with targets.short_directory() as directory:
            with targets.greeting(b"SSH-2.0-x\r\n", path=Path(directory) / "s") as target:
                error = failure(TRUSTED, machine(tmp_path, str(target.address)))
            assert error.code == "x-not-a-server"
            assert "SSH-2.0" in error.cause
            with targets.greeting(b"", path=Path(directory) / "t") as target:
                assert failure(TRUSTED, machine(tmp_path, f"{target.address}")).code == (
                    "x-not-a-server"
                )

    def test_server_that_hangs(self, tmp_path, monkeypatch):
        monkeypatch.setattr(x_talk, "TIME", 0.3)
        with Xvfb(tmp_path) as hung:
            hung.signal(signal.SIGSTOP)
            assert failure(TRUSTED, machine(tmp_path, hung.display)).code == "x-server-silent"

    def test_no_file_of_cookies(self, server, tmp_path):
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert error.code == "x-no-cookie"
        assert ".Xauthority cannot be read" in error.cause

    def test_no_cookie_for_it(self, server, tmp_path):
        server.give(tmp_path / ".Xauthority", entry(server.cookie, server.number + 1))
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert error.code == "x-no-cookie"
        assert f"unix:{server.number}" in error.cause

    def test_cookie_of_an_earlier_server(self, server, tmp_path):
        server.give(tmp_path / ".Xauthority", entry(bytes(16), server.number))
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert error.code == "x-wrong-cookie"
        assert "Invalid MIT-MAGIC-COOKIE-1 key" in error.summary

    @pytest.mark.parametrize("size", [1, 15, 17, 200])
    def test_cookie_of_another_length(self, server, tmp_path, size):
        server.give(tmp_path / ".Xauthority", entry(b"c" * size, server.number))
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert error.code == "x-wrong-cookie"
        assert f"{size} bytes" in error.cause

    @pytest.mark.parametrize("size", [0, 257, 60_000])
    def test_cookie_that_is_none(self, server, tmp_path, size):
        server.give(tmp_path / ".Xauthority", entry(b"c" * size, server.number))
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert error.code == "x-wrong-cookie"
        assert f"{size} bytes" in error.summary

    def test_another_protocol(self, server, tmp_path):
        made = entry(server.cookie, server.number)
        other = made.replace(b"\0\x12MIT-MAGIC-COOKIE-1", b"\0\x13XDM-AUTHORIZATION-1")
        server.give(tmp_path / ".Xauthority", other)
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert error.code == "x-wrong-cookie"
        assert "XDM-AUTHORIZATION-1" in error.summary

    def test_file_that_is_a_pipe_or_huge(self, server, tmp_path):
        os.mkfifo(tmp_path / ".Xauthority")
        assert failure(TRUSTED, machine(tmp_path, server.display)).code == "x-no-cookie"
        (tmp_path / ".Xauthority").unlink()
        with (tmp_path / ".Xauthority").open("wb") as file:
            file.truncate(5 << 20)
        assert "larger" in failure(TRUSTED, machine(tmp_path, server.display)).cause

    def test_secrets_are_in_no_error(self, server, tmp_path):
        cookie = b"\xab" * 16
        server.give(tmp_path / ".Xauthority", entry(cookie, server.number))
        error = failure(TRUSTED, machine(tmp_path, server.display))
        assert cookie.hex() not in f"{error.summary}{error.cause}{error.fixes}"


def test_xauth_knows_what_the_file_does_not(server, home, monkeypatch):
    """Where our own reading finds nothing, ``xauth list`` is asked."""
    listed = f"h/unix:1  MIT-MAGIC-COOKIE-1  {server.cookie.hex()}\n".encode()
    monkeypatch.setattr(programs, "run", lambda *_, **__: Ran(0, b"nonsense\nx MIT zz\n" + listed))
    server.give(home / ".Xauthority", entry(server.cookie, server.number + 1))
    assert find(TRUSTED, machine(home, server.display)).server.cookie == server.cookie


class TestWhere:
    """Without asking anybody."""

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            (":59123", UnixPath("/tmp/.X11-unix/X59123")),
            ("gw:1.2", Endpoint("gw", 6001)),
            ("[::1]:1", Endpoint("::1", 6001)),
        ],
    )
    def test_addresses(self, tmp_path, text, address):
        server = where(machine(tmp_path, text))
        assert (server.address, server.cookie, server.name) == (address, b"", text)

    def test_no_display(self, tmp_path):
        with pytest.raises(UsageError):
            where(machine(tmp_path, ""))


@given(st.text(max_size=40) | st.from_regex(r"[a-z/]{0,6}:[0-9]{0,6}(\.[0-9]{0,3})?"))
def test_any_display_is_read_or_refused(text):
    try:
        server = where(Machine({"DISPLAY": text}, Path("/"), "host", "linux"))
    except UsageError as error:
        assert error.code in ("x-display-missing", "x-display-malformed")
    else:
        assert server.name == text.strip()
