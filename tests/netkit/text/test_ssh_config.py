"""netkit's own reader of ssh_config(5), alone and against the real ``ssh -G``."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netkit.errors import ConfigError
from netkit.model import Gateway
from netkit.text.endpoints import parse_gateway
from netkit.text.forwards import parse_config_forward
from netkit.text.ssh_config import ConfigFile, parse_ssh_g, resolve
from netkit.text.ssh_keywords import DEFAULTS
from netkit.text.ssh_lines import MAX_FILE
from netkit.text.ssh_tokens import LocalFacts
from netkit.text.ssh_values import FORWARD_KINDS
from support import peers

ME = pwd.getpwuid(os.getuid())
LOCAL = LocalFacts(
    home=ME.pw_dir,
    user=ME.pw_name,
    uid=ME.pw_uid,
    hostname=socket.gethostname(),
    variables=dict(os.environ),
)


def read(
    text: str,
    host: str = "gw",
    *,
    include: Callable[[str], list[ConfigFile]] = lambda pattern: [],
    run: Callable[[str], bool] = lambda command: False,
    system: str = "",
) -> dict[str, tuple[str, ...]]:
    files = [ConfigFile("config", text), ConfigFile("/etc/ssh/ssh_config", system, user=False)]
    return resolve(files, parse_gateway(host), LOCAL, include=include, run=run)


# ------------------------------------------------------------------ the reader alone


def test_defaults():
    options = read("")
    assert options["host"] == options["hostname"] == ("gw",)
    assert options["user"] == (ME.pw_name,)
    assert options["port"] == ("22",)
    assert options["userknownhostsfile"][0] == f"{ME.pw_dir}/.ssh/known_hosts"
    assert options["ciphers"] == DEFAULTS["ciphers"]
    assert "proxyjump" not in options


def test_first_value_wins_and_the_user_s_file_goes_first():
    options = read("Host gw\n Port 1\nHost *\n Port 2\n User u", system="Port 3\nUser s\nMACs m")
    assert options["port"] == ("1",)
    assert options["user"] == ("u",)
    assert options["macs"] == ("m",)


def test_what_was_typed_goes_before_the_files():
    options = read("Port 1\nUser u\nMatch user me\n HostName matched", "me@gw:2222")
    assert options["port"] == ("2222",)
    assert options["user"] == ("me",)
    assert options["hostname"] == ("matched",)


def test_files_accumulate_across_blocks():
    options = read(
        "Host gw\n IdentityFile a\n LocalForward 1 h:1\nHost *\n IdentityFile b\n"
        " IdentityFile a\n LocalForward 2 h:2\n LocalForward 1 h:1\n"
    )
    assert options["identityfile"] == ("a", "b")
    assert options["localforward"] == ("1 [h]:1", "2 [h]:2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host gw\n Bogus yes", "config:2: unknown option 'bogus'"),
        ("Host other\n Bogus yes", "config:2: unknown option 'bogus'"),
        ("Match tagged x", "config:1: unsupported Match condition"),
        ("Port x", "config:1: port"),
        ("Host ''", "config:1: Host has an empty pattern"),
        ("HostName %q\nMatch host x", "unknown token"),
        ("UserKnownHostsFile ${NO_SUCH_VARIABLE}", "not set"),
        ("Host gw\n ProxyJump gw", "leads to itself"),
        ("IdentityAgent ~nobody/x", "another user's home"),
    ],
)
def test_errors(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_unknown_option_tells_the_way_out():
    with pytest.raises(ConfigError) as caught:
        read("UseFoo yes")
    assert "IgnoreUnknown" in caught.value.cause
    assert read("IgnoreUnknown UseF*,X\nUseFoo yes\nPort 3")["port"] == ("3",)


def test_includes():
    asked: list[str] = []

    def include(pattern: str) -> list[ConfigFile]:
        asked.append(pattern)
        name = pattern.rpartition("/")[2]
        return [ConfigFile(f"{name}.conf", "Host gw\n Port 1000\nHost *\n User included")]

    options = read("Host gw\n Include a b\n User outer\n", include=include)
    assert asked == ["~/.ssh/a", "~/.ssh/b"]
    assert options["port"] == ("1000",)
    # The include's last Host does not end the block that includes it.
    assert options["user"] == ("included",)
    read("", include=include, system="Include ssh_config.d/*.conf\nInclude /x/y")
    assert asked[2:] == ["/etc/ssh/ssh_config.d/*.conf", "/x/y"]


def test_include_in_a_block_out_of_force_sets_and_runs_nothing():
    ran: list[str] = []

    def run(command: str) -> bool:
        ran.append(command)
        return True

    options = read(
        "Host other\n Include a\n",
        include=lambda pattern: [
            ConfigFile("a", 'Port 5\nHost gw\n Port 6\nMatch exec "x"\n Port 7')
        ],
        run=run,
    )
    assert options["port"] == ("22",)
    assert ran == []


def test_include_that_includes_itself_ends():
    with pytest.raises(ConfigError, match="too many included files"):
        read("Include a", include=lambda pattern: [ConfigFile("a", "Include a")])


def test_includes_in_width_are_bounded():
    many = [ConfigFile(f"f{n}", "Include x") for n in range(50)]
    with pytest.raises(ConfigError, match="too many included files"):
        read("Include x", include=lambda pattern: many)


def test_system_files_cannot_include_a_home():
    with pytest.raises(ConfigError, match=r"/etc/ssh/ssh_config:1: cannot include"):
        read("", system="Include ~/x")


def test_file_size_is_bounded():
    with pytest.raises(ConfigError, match="longer than"):
        read("#" * (MAX_FILE + 1))


def test_match_exec_sees_expanded_tokens():
    ran: list[str] = []

    def run(command: str) -> bool:
        ran.append(command)
        return True

    options = read('HostName %h.lan\nMatch exec "test %h %n %p %r"\n Port 5', "u@gw", run=run)
    assert ran == ["test gw.lan gw 22 u"]
    assert options["port"] == ("5",)


def test_final_pass_sees_the_resolved_name():
    text = "Match final host real.example\n Port 7\nHost gw\n HostName real.example\n"
    assert read(text)["port"] == ("7",)
    assert read("Host real.example\n Port 7\nHost gw\n HostName real.example\n")["port"] == ("22",)


def test_tokens_are_of_paths_and_not_of_the_address_beside_one():
    found = read("LocalForward /tmp/%%x [fe80::1%eth0]:1\n")["localforward"]
    assert found == ("/tmp/%x [fe80::1%eth0]:1",)


_KEYS = st.sampled_from(["Host", "Match", "Port", "User", "ProxyJump", "LocalForward", "Include"])


@given(st.lists(st.tuples(_KEYS | st.text(max_size=8), st.text("gw all host*!?\"'=#%h:1@/~"))))
def test_anything_resolves_or_is_a_config_error(lines: list[tuple[str, str]]):
    try:
        read("\n".join(f"{key} {value}" for key, value in lines))
    except ConfigError as error:
        assert error.summary


# ------------------------------------------------------------------ what ssh -G prints


def test_parse_ssh_g():
    options = parse_ssh_g(
        "user me\nhostname gw\nidentityfile ~/a b\nidentityfile c\n"
        "userknownhostsfile /x/y z /k C:\\Users\\J D/.ssh/k\nempty\n"
    )
    assert options["identityfile"] == ("~/a b", "c")
    assert options["userknownhostsfile"] == ("/x/y z", "/k", "C:\\Users\\J D/.ssh/k")
    assert "empty" not in options


def test_parse_ssh_g_drops_ghosts_of_forwards_to_sockets():
    options = parse_ssh_g(
        "dynamicforward 8080\ndynamicforward 1080\nlocalforward 8080 /run/x\nlocalforward 1 [h]:1\n"
    )
    assert options["dynamicforward"] == ("1080",)
    assert options["localforward"] == ("8080 /run/x", "1 [h]:1")


@given(st.text())
def test_parse_ssh_g_takes_anything(text: str):
    for values in parse_ssh_g(text).values():
        assert values


# ------------------------------------------------------------------ both readers


def ask_ssh(config: Path, gateway: Gateway) -> dict[str, tuple[str, ...]] | None:
    """Return what the real ssh makes of a file, None when it refuses it."""
    command = [str(peers.require("ssh")), "-G", "-F", str(config)]
    command += ["-l", gateway.user] if gateway.user else []
    command += ["-p", str(gateway.port)] if gateway.port else []
    done = subprocess.run(
        [*command, "--", gateway.host],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return parse_ssh_g(done.stdout) if done.returncode == 0 else None


def ask_reader(config: Path, gateway: Gateway) -> dict[str, tuple[str, ...]] | None:
    def include(pattern: str) -> list[ConfigFile]:
        paths = sorted(Path("/").glob(pattern.removeprefix("/")))
        return [ConfigFile(str(path), path.read_text()) for path in paths]

    def run(command: str) -> bool:
        return subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0

    file = ConfigFile(str(config), config.read_text())
    try:
        return resolve([file], gateway, LOCAL, include=include, run=run)
    except ConfigError:
        return None


_ALSO = {
    "bindaddress",
    "certificatefile",
    "controlpath",
    "hostkeyalias",
    "hostname",
    "identityagent",
    "knownhostscommand",
    "localcommand",
    "pkcs11provider",
    "port",
    "preferredauthentications",
    "proxycommand",
    "proxyjump",
    "revokedhostkeys",
    "sendenv",
    "setenv",
    "user",
}
_COMPARED = (set(DEFAULTS) | _ALSO) - {"controlpath"}


def comparable(options: dict[str, tuple[str, ...]]) -> dict[str, object]:
    seen: dict[str, object] = {name: options.get(name) for name in sorted(_COMPARED)}
    if len(options.get("identityfile", ())) >= 5:
        seen["identityfile"] = "default"
    # A final pass makes ssh name them twice.
    seen["sendenv"] = tuple(dict.fromkeys(options.get("sendenv", ())))
    for name, kind in FORWARD_KINDS.items():
        forwards = [parse_config_forward(kind, value) for value in options.get(name, ())]
        seen[name] = [(forward.bind, forward.to) for forward in forwards]
    for name in ("ciphers", "macs", "kexalgorithms", "hostkeyalgorithms"):
        # The default lists change from release to release.
        if seen[name] == DEFAULTS[name] or len(str(seen[name])) > 200:
            seen[name] = "default"
    return seen


def check_same(config: Path, text: str, gateway: str) -> None:
    config.write_text(text)
    asked = parse_gateway(gateway)
    theirs, ours = ask_ssh(config, asked), ask_reader(config, asked)
    if theirs is None or ours is None:
        assert (theirs is None) == (ours is None), (
            theirs and "ssh takes it",
            ours and "we take it",
        )
        return
    assert comparable(ours) == comparable(theirs)


CASES = {
    "everything": """
        Host gw
          HostName %h.Example.COM
          User you # comment
          Port = 2222
          IdentityFile ~/.ssh/id_%h
          IdentityFile "~/a b"
          IdentitiesOnly yes
          CertificateFile ~/c
          IdentityAgent ~/agent-%r
          UserKnownHostsFile ~/kh-%k /x/%n
          GlobalKnownHostsFile none
          HostKeyAlias GW-Alias
          StrictHostKeyChecking accept-new
          PreferredAuthentications publickey,password
          NumberOfPasswordPrompts 1
          Ciphers aes128-ctr,aes256-ctr
          MACs hmac-sha2-256
          KexAlgorithms curve25519-sha256
          HostKeyAlgorithms ssh-ed25519
          Compression yes
          ConnectTimeout 1m30
          AddressFamily inet6
          BindAddress 127.0.0.1
          ServerAliveInterval 15
          ServerAliveCountMax 4
          LocalForward 8080 db:80
          LocalForward *:8081 [::1]:81
          LocalForward /tmp/%n.sock /run/%r.sock
          RemoteForward 9000
          RemoteForward [::]:9001 h:1
          RemoteForward /tmp/r /tmp/l
          DynamicForward 1080
          DynamicForward localhost:1081
          SendEnv A B
          SetEnv C=1 D=2
          SetEnv E=3
          HashKnownHosts yes
          GatewayPorts yes
          ExitOnForwardFailure yes
          RevokedHostKeys /x
          PKCS11Provider /y
          KnownHostsCommand /bin/x %H # kept
    """,
    "none clears": "RevokedHostKeys none\nPKCS11Provider none\nProxyCommand none\nProxyJump a",
    "jump before command": "ProxyJump a,b\nProxyCommand nc %h %p",
    "command before jump": "ProxyCommand nc %h %p # x\nProxyJump a,b",
    "jump none": "ProxyJump none\nProxyCommand nc",
    "jump url": "ProxyJump ssh://u@h:2200",
    "jump self": "Host *\n ProxyJump gw",
    "jump self elsewhere": "Host *\n ProxyJump gw:2222",
    "negated host": "Host * !gw\n Port 1\nHost !other\n Port 2\nHost !other *\n Port 3",
    "quoted host": 'Host "gw"\n Port 1',
    "case of host": "Host GW\n Port 1",
    "match": "Match host gw,x user !root,*\n Port 1\nMatch originalhost g?\n Port 2",
    "match localuser": f"Match localuser {ME.pw_name}\n Port 1",
    "match exec": 'Match host gw exec "test %n = gw -a %p = 22" # c\n Port 1',
    "match not exec": 'Match !exec "false"\n Port 1',
    "match all": "Match all\n Port 1",
    "match equals": "Match host=gw\n Port 1",
    "match after hostname": "HostName x.y\nMatch host x.y\n Port 1\nMatch host gw\n User n",
    "match final": "Match final\n Port 7\nMatch final host x.y\n User f\nHost gw\n HostName x.y",
    "match canonical": "Match canonical\n Port 7\nMatch !canonical\n User n",
    "match canonical all": "Match canonical all\n Port 7",
    "match host all": "Match host gw all\n Port 7",
    "match unknown": "Match bogus x\n Port 7",
    "match empty": "Match # x",
    "match missing": "Match host",
    "match quoted": 'Match user "a b" host gw\n Port 1',
    "unknown": "Bogus x",
    "ignore unknown": "IgnoreUnknown Bog*\nBogus x\nPort 1",
    "ignore unknown late": "Bogus x\nIgnoreUnknown Bog*",
    "equals": "Port=1\nUser = me\nHostName =x",
    "double equals": "Port==1",
    "no argument": "Port",
    "extra": "Port 1 2",
    "extra comment": "Port 1 # 2",
    "hash in word": "User a#b",
    "open quote": 'User "a',
    "apostrophe": "ProxyCommand echo it's",
    "quotes": 'IdentityFile \'a b\'\nIdentityFile "c\\"d"\nIdentityFile e\\ f',
    "backslash": r"IdentityFile C:\a\b",
    "crlf": "Port 1\r\nUser me\r\n",
    "form feed": "Port 1\f\n",
    "tabs": "\tPort\t1\t\n",
    "aliases": "ChallengeResponseAuthentication no\nDSAAuthentication no\nKeepAlive no",
    "deprecated": "Cipher 3des\nProtocol 2\nRSAAuthentication yes\nUseRoaming no",
    "off": "StrictHostKeyChecking off\nPubkeyAuthentication no\nPasswordAuthentication no",
    "bad flag": "Compression maybe",
    "bad port": "Port 0",
    "bad time": "ConnectTimeout x",
    "time none": "ConnectTimeout none",
    "plus cipher": "Ciphers +aes128-cbc",
    "minus cipher": "Ciphers -chacha*,aes*-ctr",
    "front cipher": "Ciphers ^aes256-ctr",
    "clear": "LocalForward 1 h:1\nClearAllForwardings yes",
    "same forward twice": "LocalForward 1 h:1\n" * 2 + "DynamicForward 2\n" * 2,
    "bad forward": "LocalForward x h:1",
    "forward without target": "LocalForward 1",
    "known hosts none": "UserKnownHostsFile none",
    "known hosts none and more": "UserKnownHostsFile a none",
    "agent none": "IdentityAgent none",
    "agent variable": "IdentityAgent $HOME",
    "agent braces": "IdentityAgent ${HOME}/x",
    "identity none": "IdentityFile none",
    "bad token": "UserKnownHostsFile %q",
    "unset variable": "UserKnownHostsFile ${NO_SUCH_VARIABLE}",
    "hostname token": "HostName %q",
    "hostname percent": "HostName a%%b",
    "address": "HostName ::0001",
    "send env bad": "SendEnv A=1",
    "set env bad": "SetEnv A",
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("gateway", ["gw", "root@GW", "gw:2222"])
def test_agrees_with_ssh(tmp_path: Path, name: str, gateway: str):
    check_same(tmp_path / "config", CASES[name], gateway)


def test_includes_agree_with_ssh(tmp_path: Path):
    directory = tmp_path / "d"
    directory.mkdir()
    for name, text in {
        "1": "Host gw\n Port 1\nHost *\n IdentityFile from-1",
        "2": "IdentityFile from-2\nMatch host other\n User wrong",
    }.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    for text in (
        f"Include {directory}/*\nUser right",
        f"Host gw\n Include {directory}/1 {directory}/2\n User right",
        f"Host other\n Include {directory}/*\n Port 9\nHost *\n Port 8",
        f"Include {directory}/nothing*\nPort 3",
    ):
        check_same(tmp_path / "config", text, "gw")


_LINES = st.one_of(
    st.builds(
        "Host {}".format, st.sampled_from(["gw", "*", "g?", "!gw *", "other", "* !gw", "x.y"])
    ),
    st.builds(
        "Match {}".format,
        st.sampled_from(
            [
                "all",
                "host gw",
                "host x.y",
                "final",
                "!final",
                "user root",
                "!user root",
                "canonical",
                "originalhost gw",
                "host *,!gw",
                "final host x.y",
                "exec true",
                "!exec true",
            ]
        ),
    ),
    st.builds(" HostName {}".format, st.sampled_from(["x.y", "%h.z", "X"])),
    st.builds(" Port {}".format, st.integers(1, 9)),
    st.builds(" User {}".format, st.sampled_from(["root", "me", "'a b'", "x # c"])),
    st.builds(" IdentityFile {}".format, st.sampled_from(["a", "~/b", "none", '"c d"'])),
    st.builds(" ProxyJump {}".format, st.sampled_from(["a", "a,b", "none", "u@c:3", "gw"])),
    st.builds(" ProxyCommand {}".format, st.sampled_from(["none", "nc %h %p", '"a b" # c'])),
    st.builds(
        " LocalForward {}".format, st.sampled_from(["1 h:1", "/a /b", "*:2 [::1]:2", "3 /x"])
    ),
    st.builds(" DynamicForward {}".format, st.sampled_from(["1", "*:2", "[::1]:3"])),
    st.sampled_from(
        [
            " SendEnv A B",
            " SetEnv A=1",
            " ClearAllForwardings yes",
            "",
            "# c",
            " StrictHostKeyChecking no",
            " UserKnownHostsFile ~/%n /b",
            " Bogus x",
            " IgnoreUnknown Bog*",
            " IdentityAgent none",
            " ConnectTimeout 1m",
        ]
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_LINES, max_size=14), gateway=st.sampled_from(["gw", "x.y", "me@gw", "gw:7"]))
def test_arbitrary_files_agree_with_ssh(tmp_path: Path, lines: list[str], gateway: str):
    check_same(tmp_path / "config", "\n".join(lines) + "\n", gateway)
