"""Logging in: order, passwords, questions, two factors, what is said when nothing helps."""

from __future__ import annotations

import socket
import threading

from netkit.errors import AuthenticationError
from netkit.model import Hop
from support.asyncssh_server import AsyncsshServer
from support.login import b64, fails, logged_in, sshd_hop
from support.prompts import Person
from support.scripted_server import ScriptedServer
from support.sshd import Sshd, make_key, public_line

KBDINT = "keyboard-interactive"


class TestPassword:
    def test_given_password_is_used(self):
        with (
            ScriptedServer(password="pw") as server,
            logged_in(server.hop(), server.sock, password="pw") as transport,
        ):
            assert transport.auth_method == "password"
            assert transport.is_authenticated()

    def test_given_password_is_tried_once(self):
        with ScriptedServer(password="pw") as server:
            error = fails(server.hop(), server.sock, password="wrong")
            assert error.code == "wrong-password"
            assert error.exit_code == 6
            assert server.seen == [("none", ""), ("password", "wrong")]

    def test_person_is_asked_after_a_wrong_one(self):
        person = Person(["wrong too", "pw"])
        with (
            ScriptedServer(password="pw") as server,
            logged_in(server.hop(), server.sock, password="wrong", prompter=person),
        ):
            assert person.asked == ["tester@scripted.test's password: "] * 2

    def test_person_is_asked_no_more_often_than_configured(self):
        person = Person(["a", "b", "c", "d"])
        with ScriptedServer(password="pw") as server:
            error = fails(server.hop(password_prompts=2), server.sock, prompter=person)
            assert len(person.asked) == 2
            assert error.code == "wrong-password"

    def test_person_who_says_nothing_ends_it(self):
        person = Person()
        with ScriptedServer(password="pw") as server:
            error = fails(server.hop(), server.sock, prompter=person)
            assert len(person.asked) == 1
            assert error.code == "no-credentials"

    def test_nobody_to_ask(self):
        with ScriptedServer(password="pw") as server:
            error = fails(server.hop(), server.sock)
            assert isinstance(error, AuthenticationError)
            assert error.code == "no-credentials"
            assert "password" in error.cause
            assert "--password-stdin" in error.fixes[0].argv

    def test_password_change_request(self):
        def expired(transport):
            handler = transport._send_message

            def send(m):
                if m.asbytes()[:1] == b"\x33" and ("password", "pw") in server.seen:
                    m = type(m)(b"\x3c\0\0\0\x03old\0\0\0\0")
                handler(m)

            transport._send_message = send

        with ScriptedServer(password="new", before=expired) as server:
            error = fails(server.hop(), server.sock, password="pw")
            assert error.code == "password-expired"


class TestInteractive:
    def test_password_question_gets_the_given_password(self):
        rounds = [[("Password: ", False, "pw")]]
        with (
            ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server,
            logged_in(server.hop(), server.sock, password="pw") as transport,
        ):
            assert transport.auth_method == KBDINT

    def test_one_time_code_is_never_answered_with_the_password(self):
        rounds = [[("Verification code: ", False, "123456")]]
        with ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server:
            error = fails(server.hop(), server.sock, password="pw")
            assert "'Verification code:'" in error.cause
            assert server.methods_seen() == ["none"]

    def test_password_then_code_from_a_person(self):
        rounds = [[("Password: ", False, "pw")], [("Verification code: ", False, "123456")]]
        person = Person(["123456"])
        with (
            ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server,
            logged_in(server.hop(), server.sock, password="pw", prompter=person),
        ):
            assert person.asked == ["Verification code: "]

    def test_several_questions_with_and_without_echo(self):
        rounds = [[("User number: ", True, "42"), ("Secret: ", False, "x")]]
        person = Person(secrets=["x"], answers=["42"])
        title = ("Welcome\x1b[2J", "Please\nanswer")
        with (
            ScriptedServer(factors=[{KBDINT}], rounds=rounds, title=title) as server,
            logged_in(server.hop(), server.sock, prompter=person),
        ):
            assert person.asked == ["User number: ", "Secret: "]
            assert person.shown == ["Welcome?[2J\nPlease\nanswer"]

    def test_rounds_count_as_one_try(self):
        rounds = [[("One: ", True, "1")], [("Two: ", True, "2")], [("Three: ", True, "3")]]
        person = Person(answers=["1", "2", "3"])
        with (
            ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server,
            logged_in(server.hop(password_prompts=1), server.sock, prompter=person),
        ):
            assert len(person.asked) == 3

    def test_wrong_answers_are_asked_again_and_then_given_up(self):
        rounds = [[("Word: ", True, "right")]]
        person = Person(answers=["a", "b", "c", "d"])
        with ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server:
            error = fails(server.hop(), server.sock, prompter=person)
            assert len(person.asked) == 3
            assert "the answers were refused" in error.cause

    def test_method_without_questions_is_not_tried_twice(self):
        with (
            ScriptedServer(factors=[{KBDINT, "password"}], password="pw") as server,
            logged_in(server.hop(), server.sock, password="pw") as transport,
        ):
            assert transport.auth_method == "password"
            assert server.methods_seen() == ["none", KBDINT, "password"]

    def test_message_without_questions_is_shown(self):
        rounds = [[], [("Word: ", True, "x")]]
        person = Person(answers=["x"])
        with (
            ScriptedServer(factors=[{KBDINT}], rounds=rounds, title=("Hello", "there")) as server,
            logged_in(server.hop(), server.sock, prompter=person),
        ):
            assert person.shown == ["Hello\nthere"] * 2

    def test_silence_abandons_the_questions(self):
        rounds = [[("Word: ", True, "x")]]
        with ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server:
            error = fails(server.hop(), server.sock, prompter=Person())
            assert "'Word:' was not answered" in error.cause
            assert server.methods_seen() == ["none"]

    def test_endless_questions_end(self):
        rounds = [[("Again: ", True, "x")]] * 200
        person = Person(answers=["x"] * 200)
        with ScriptedServer(factors=[{KBDINT}], rounds=rounds) as server:
            error = fails(server.hop(), server.sock, prompter=person)
            assert error.code == "protocol-error"
            assert "without end" in error.summary


class TestMisbehaviour:
    def test_unknown_methods_are_passed_over(self):
        with ScriptedServer(factors=[{"hostbased", "password"}], password="pw") as server:
            hop = server.hop(auth_methods=("hostbased", "password"))
            with logged_in(hop, server.sock, password="pw") as transport:
                assert transport.auth_method == "password"

    def test_one_more_factor_without_end(self):
        rounds = [[("Word: ", True, "x")]]
        with ScriptedServer(factors=[{KBDINT}] * 200, rounds=rounds) as server:
            person = Person(answers=["x"] * 200)
            error = fails(server.hop(password_prompts=1000), server.sock, prompter=person)
            assert error.code == "protocol-error"
            assert "without end" in error.summary

    def test_agreeing_to_a_key_that_was_not_offered(self, tmp_path):
        def lie(transport):
            send = transport._send_message

            def bent(m):
                if m.asbytes()[:1] == b"\x3c":
                    m = type(m)(m.asbytes()[:-1] + bytes([m.asbytes()[-1] ^ 1]))
                send(m)

            transport._send_message = bent

        key = make_key(tmp_path / "key")
        with ScriptedServer(
            factors=[{"publickey"}], accepted_keys=[b64(key)], before=lie
        ) as server:
            error = fails(server.hop(identities=(key,)), server.sock)
            assert error.code == "protocol-error"
            assert server.methods_seen() == ["none", "publickey"]

    def test_cancelling(self):
        cancelled = threading.Event()

        class Slow(Person):
            def secret(self, prompt):
                cancelled.set()
                return "pw"

        def mute(transport):
            send = transport._send_message
            transport._send_message = lambda m: None if cancelled.is_set() else send(m)

        with ScriptedServer(password="pw", before=mute) as server:
            error = fails(server.hop(), server.sock, prompter=Slow(), cancelled=cancelled)
            assert error.code == "cancelled"


class TestFactors:
    def test_two_keys(self, tmp_path):
        second = make_key(tmp_path / "second")
        with Sshd(tmp_path, tcp=False, AuthenticationMethods="publickey,publickey") as sshd:
            with sshd.authorized_keys.open("a") as file:
                file.write(public_line(second) + "\n")
            hop = sshd_hop(sshd, identities=(sshd.client_key, second))
            with logged_in(hop, sshd.pipe()) as transport:
                assert transport.auth_method.count("publickey") == 2

    def test_one_key_where_two_are_wanted(self, tmp_path):
        with Sshd(tmp_path, tcp=False, AuthenticationMethods="publickey,publickey") as sshd:
            error = fails(sshd_hop(sshd), sshd.pipe())
            assert "accepted publickey" in error.cause
            assert "one more factor" in error.cause
            assert sshd.log().count("Postponed publickey") == 1

    def test_key_then_password(self, tmp_path):
        key = make_key(tmp_path / "key")
        factors = [{"publickey"}, {"password"}]
        with ScriptedServer(factors=factors, password="pw", accepted_keys=[b64(key)]) as server:
            hop = server.hop(identities=(key,))
            with logged_in(hop, server.sock, password="pw") as transport:
                assert transport.auth_method.endswith(" + password")

    def test_password_then_key(self, tmp_path):
        key = make_key(tmp_path / "key")
        factors = [{"password"}, {"publickey"}]
        with ScriptedServer(factors=factors, password="pw", accepted_keys=[b64(key)]) as server:
            hop = server.hop(identities=(key,))
            with logged_in(hop, server.sock, password="pw") as transport:
                assert transport.auth_method.startswith("password + publickey")

    def test_key_then_questions(self, tmp_path):
        key = make_key(tmp_path / "key")
        with ScriptedServer(
            factors=[{"publickey"}, {KBDINT}],
            rounds=[[("Code: ", False, "123")]],
            accepted_keys=[b64(key)],
        ) as server:
            person = Person(["123"])
            with logged_in(
                server.hop(identities=(key,)), server.sock, prompter=person
            ) as transport:
                assert transport.auth_method.endswith(" + keyboard-interactive")
                assert server.methods_seen().count("publickey") == 2  # asked, then signed


class TestOrder:
    def test_methods_in_the_order_of_the_hop(self):
        with ScriptedServer(
            factors=[{"password", KBDINT}], password="pw", rounds=[[("Password: ", False, "pw")]]
        ) as server:
            hop = server.hop(auth_methods=("password", KBDINT))
            with logged_in(hop, server.sock, password="pw") as transport:
                assert transport.auth_method == "password"

    def test_methods_not_in_the_hop_are_not_tried(self):
        with ScriptedServer(factors=[{"password", KBDINT}], password="pw") as server:
            error = fails(server.hop(auth_methods=("publickey",)), server.sock, password="pw")
            assert server.methods_seen() == ["none"]
            assert error.code == "no-credentials"

    def test_server_that_lets_anybody_in(self, tmp_path):
        with AsyncsshServer(tmp_path, is_open_to_all=True) as server:
            sock = socket.create_connection(("127.0.0.1", server.port))
            hop = Hop(
                alias="open",
                host="127.0.0.1",
                port=server.port,
                user="x",
                known_hosts=(server.known_hosts(),),
            )
            with logged_in(hop, sock) as transport:
                assert transport.auth_method == "none"


def test_banner_is_shown_without_control_characters():
    person = Person()
    with (
        ScriptedServer(password="pw", banner="Keep\x1b]0;title\x07 out\r\n\nreally\n") as server,
        logged_in(server.hop(), server.sock, password="pw", prompter=person),
    ):
        assert person.shown == ["Keep?]0;title? out\n\nreally"]


def test_banner_becomes_a_notice_where_nobody_is_asked():
    said: list[tuple[str, str]] = []
    with (
        ScriptedServer(password="pw", banner="Keep out\r\n") as server,
        logged_in(server.hop(), server.sock, password="pw", log=lambda *both: said.append(both)),
    ):
        assert ("gateway-says", "the gateway says: Keep out") in said


class TestKeysOfNoUse:
    def test_they_are_told_once_the_login_succeeded_without_them(self, tmp_path):
        said: list[str] = []
        with ScriptedServer(factors=[{"publickey", "password"}], password="pw") as server:
            hop = server.hop(identities=(tmp_path / "none",), identities_explicit=True)
            with logged_in(
                hop, server.sock, password="pw", log=lambda code, _text: said.append(code)
            ):
                assert said.count("key-missing") == 1

    def test_they_are_not_told_twice_when_they_are_the_failure(self, tmp_path):
        said: list[str] = []
        with ScriptedServer(factors=[{"publickey"}]) as server:
            hop = server.hop(identities=(tmp_path / "none",), identities_explicit=True)
            error = fails(hop, server.sock, log=lambda code, _text: said.append(code))
        assert error.code == "key-missing"
        assert "key-missing" not in said
