"""The guards of conftest.py, on tests that leak on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent

INI = """
[pytest]
filterwarnings = error
markers =
    logs_errors: provoked
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite with our conftest and less grace."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.delenv("CI", raising=False)
    conftest = (TESTS / "conftest.py").read_text("utf-8")
    pytester.makeconftest(f"{conftest}\n\nleaks.GRACE = 0.3\n")
    pytester.makeini(INI)
    return pytester


def run(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run ``source`` as a test file in a process of its own."""
    suite.makepyfile(source)
    return suite.runpytest_subprocess("-p", "no:cacheprovider")


def test_clean_test_passes(suite: pytest.Pytester):
    run(
        suite,
        """
        import socket, subprocess, sys, threading

        def test_clean(tmp_path):
            thread = threading.Thread(target=print)
            thread.start()
            with socket.socket(), open(tmp_path / "f", "w"):
                subprocess.run([sys.executable, "-c", ""], check=True)
            thread.join()
        """,
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("leak", "named"),
    [
        ("kept.append(socket.socket())", "*descriptor * socket:*"),
        ("kept.append(open(__file__))", "*descriptor *test_leaked_thing_is_named*"),
        ("threading.Thread(target=go.wait, name='lost', daemon=True).start()", "*thread 'lost'*"),
        ("kept.append(subprocess.Popen(['sleep', '5']))", "*child process * sleep 5*"),
    ],
)
def test_leaked_thing_is_named(suite: pytest.Pytester, leak: str, named: str):
    result = run(
        suite,
        f"""
        import socket, subprocess, threading
        import pytest

        kept = []
        go = threading.Event()

        def test_leaks():
            {leak}

        def test_next_is_not_blamed():
            pass

        def test_tidy():
            go.set()
            for thing in kept:
                getattr(thing, "kill", thing.close if hasattr(thing, "close") else None)()
                if hasattr(thing, "wait"):
                    thing.wait()
        """,
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the test left behind:*", named])


def test_fixture_that_closes_in_teardown_is_fine(suite: pytest.Pytester):
    run(
        suite,
        """
        import socket
        import pytest

        @pytest.fixture
        def server():
            with socket.socket() as sock:
                yield sock

        def test_uses(server):
            pass
        """,
    ).assert_outcomes(passed=1)


def test_fixture_that_forgets_is_blamed(suite: pytest.Pytester):
    run(
        suite,
        """
        import socket
        import pytest

        @pytest.fixture
        def server():
            return socket.socket().detach()

        def test_uses(server):
            pass
        """,
    ).assert_outcomes(passed=1, errors=1)


@pytest.mark.parametrize("scope", ["session", "module", "class"])
def test_wider_fixture_is_not_the_tests_leak(suite: pytest.Pytester, scope: str):
    run(
        suite,
        f"""
        import socket, subprocess, threading
        import pytest

        def serve():
            go = threading.Event()
            thread = threading.Thread(target=go.wait)
            thread.start()
            with socket.socket() as sock, subprocess.Popen(["sleep", "9"]) as child:
                yield sock
                child.kill()
            go.set()
            thread.join()

        @pytest.fixture(scope="{scope}")
        def asked():
            yield from serve()

        @pytest.fixture(scope="{scope}")
        def dynamic():
            yield from serve()

        class TestIt:
            def test_first(self, asked):
                pass

            def test_second(self, asked, request):
                request.getfixturevalue("dynamic")

        def test_after():
            pass
        """,
    ).assert_outcomes(passed=3)


def test_leak_beside_a_wider_fixture_is_still_found(suite: pytest.Pytester):
    run(
        suite,
        """
        import socket
        import pytest

        @pytest.fixture(scope="session")
        def server():
            with socket.socket() as sock:
                yield sock

        def test_leaks(server):
            socket.socket().detach()
        """,
    ).assert_outcomes(passed=1, errors=1)


def test_failure_is_not_followed_by_a_leak_report(suite: pytest.Pytester):
    result = run(
        suite,
        """
        import socket

        def test_fails():
            socket.socket().detach()
            assert 1 == 2
        """,
    )
    result.assert_outcomes(failed=1)


def test_thread_on_its_way_out_gets_grace(suite: pytest.Pytester):
    run(
        suite,
        """
        import threading

        def test_slow_end():
            threading.Timer(0.05, print).start()
        """,
    ).assert_outcomes(passed=1)


def test_exception_in_a_thread_fails_the_test(suite: pytest.Pytester):
    run(
        suite,
        """
        import threading

        def test_thread_dies():
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
        """,
    ).assert_outcomes(failed=1)


def test_logged_error_fails_unless_marked(suite: pytest.Pytester):
    result = run(
        suite,
        """
        import logging
        import pytest

        def test_logs():
            logging.getLogger("netkit.engine").error("relay %d broke", 7)

        @pytest.mark.logs_errors
        def test_marked():
            logging.getLogger("netkit.engine").error("wanted")

        def test_warns():
            logging.getLogger("netkit.engine").warning("fine")

        def test_other():
            logging.getLogger("paramiko").error("not ours")
        """,
    )
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*netkit.engine: relay 7 broke*"])


def test_missing_peers_are_counted_at_the_end(suite: pytest.Pytester):
    result = run(
        suite,
        """
        import pytest
        from support import peers

        peers.PEERS["gone"] = peers.Peer(("no-such-binary",), "some-package")

        @pytest.mark.parametrize("n", [1, 2])
        def test_needs_it(n):
            peers.require("gone")
        """,
    )
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        ["*missing peers*", "2 skipped for want of gone (apt-get install some-package)*"]
    )
