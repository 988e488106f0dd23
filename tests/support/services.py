"""The servers of the recipe behind the gateway, real ones: mail, telnet, FTP; each on loopback.

    with Dovecot(mails=[b"..."]) as mail:      # POP3; user and password are whatever is said
        mail.port, mail.user, mail.password
    with Telnetd() as telnet: ...              # asks for a name, then answers what is typed
    with Vsftpd() as ftp: ...                  # passive and active; ftp.root has the files
    with Website() as web: ...                 # web.page

They run as root and as an ordinary user.  Their folders are outside pytest's: some of their
processes run as another user, who has to get there.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from support.peers import require
from support.ports import free_port
from support.waiting import wait_until

PASSWORD = "wonderland"
USER = "alice"
_OTHER = "nobody"


class Service:
    """A server with a folder of its own.

    ``prefix`` are words to start it with, such as those of a namespace, ``host`` is its address in
    there; port 0: a free one.
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, prefix: Sequence[str] = ()
    ) -> None:
        self.host = host
        self._wanted = port
        self._prefix = tuple(prefix)
        self.folder = Path(tempfile.mkdtemp(prefix="nk-"))
        self.folder.chmod(0o755)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def argv(self) -> Sequence[str]:
        """The command that runs it in the foreground on ``port``; may write its configuration."""
        raise NotImplementedError

    @property
    def log(self) -> str:
        """What it said."""
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log"))
        )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        for _ in range(5):  # another process may take the port first
            self.port = self._wanted or free_port()
            with (self.folder / "out.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [*self._prefix, *self.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            if self._comes_up(self._process):
                return
        raise AssertionError(f"it did not start:\n{self.log}")

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        wait_until(lambda: self._answers() or process.poll() is not None, timeout=20)
        return process.poll() is None

    def _answers(self) -> bool:
        """Tell whether it listens, as seen from where it runs."""
        code = f"import socket; socket.create_connection(({self.host!r}, {self.port}), 1).close()"
        if self._prefix:
            argv = [*self._prefix, sys.executable, "-c", code]
            return subprocess.run(argv, capture_output=True, check=False).returncode == 0
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False

    def _stop(self) -> None:
        """End it with all its processes; there is nothing in its folder to be kept."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(self._process.pid)
                for each in (top, *top.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Dovecot(Service):
    """POP3: one mailbox with the given mails."""

    user = USER
    password = PASSWORD

    def __init__(self, mails: Sequence[bytes] = (), **where: Any) -> None:
        self._binary = require("dovecot")
        super().__init__(**where)
        box = self.folder / "mail"
        for part in ("new", "cur", "tmp"):
            (box / part).mkdir(parents=True)
        for number, mail in enumerate(mails):
            (box / "new" / f"{number}.host").write_bytes(mail)
        if os.geteuid() == 0:  # dovecot opens no mailbox as root
            for path in (box, *box.rglob("*")):
                shutil.chown(path, _OTHER)

    @property
    def argv(self) -> Sequence[str]:
        me = pwd.getpwuid(os.geteuid())
        owner = pwd.getpwnam(_OTHER) if me.pw_uid == 0 else me
        own = "" if me.pw_uid == 0 else self._own_user(me.pw_name)
        config = self.folder / "dovecot.conf"
        config.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
protocols = pop3
listen = {self.host}
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{self.folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={self.folder}/mail
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
{own}
""")
        return (str(self._binary), "-F", "-c", str(config))

    @staticmethod
    def _own_user(name: str) -> str:
        services = "".join(
            f"service {service} {{\n  chroot =\n}}\n" for service in ("anvil", "pop3-login")
        )
        users = ("default_internal_user", "default_login_user")
        own = "".join(f"{word} = {name}\n" for word in users)
        return f"{own}default_internal_group = {grp.getgrgid(os.getegid()).gr_name}\n{services}"


class Vsftpd(Service):
    """FTP without accounts; ``root/incoming`` takes uploads."""

    def __init__(self, **where: Any) -> None:
        self._binary = require("vsftpd")
        super().__init__(**where)
        self.root = self.folder / "files"
        (self.root / "incoming").mkdir(parents=True)
        (self.root / "incoming").chmod(0o777)
        self.root.chmod(0o555)
        if os.geteuid() == 0:
            shutil.chown(self.root / "incoming", "ftp")

    @property
    def argv(self) -> Sequence[str]:
        (self.folder / "empty").mkdir(exist_ok=True)
        settings = {
            "listen": "YES",
            "background": "NO",
            "listen_address": self.host,
            "listen_port": self.port,
            "anonymous_enable": "YES",
            "anon_root": self.root,
            "no_anon_password": "YES",
            "write_enable": "YES",
            "anon_upload_enable": "YES",
            "anon_umask": "022",
            "secure_chroot_dir": self.folder / "empty",
            "seccomp_sandbox": "NO",
            "log_ftp_protocol": "YES",
            "xferlog_enable": "YES",
            "vsftpd_log_file": self.folder / "vsftpd.log",
        }
        if os.geteuid() != 0:
            settings["run_as_launching_user"] = "YES"
        config = self.folder / "vsftpd.conf"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return (str(self._binary), str(config))


class Website(Service):
    """A web server with one page."""

    page = b"<p>the intranet</p>\n"

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        (self.folder / "pages").mkdir()
        (self.folder / "pages" / "index.html").write_bytes(self.page)

    @property
    def argv(self) -> Sequence[str]:
        pages = ("--directory", str(self.folder / "pages"))
        return (sys.executable, "-m", "http.server", str(self.port), "--bind", self.host, *pages)


class Telnetd(Service):
    """The real telnetd; in the place of login(1) a script.

    The script asks for a name and a password as login does, and repeats what is typed.
    """

    def __init__(self, **where: Any) -> None:
        self._binary = require("telnetd")
        super().__init__(**where)
        self._script = self.folder / "login"
        self._script.write_text(
            "#!/bin/sh\n"
            "printf 'login: '; read -r name\n"
            "stty -echo; printf 'Password: '; read -r password; stty echo; echo\n"
            f'[ "$password" = {PASSWORD} ] || {{ echo "Login incorrect"; exit 1; }}\n'
            'echo "Welcome, $name."\n'
            'while read -r line; do [ "$line" = exit ] && exit; echo "you said: $line"; done\n'
        )
        self._script.chmod(0o755)

    @property
    def argv(self) -> Sequence[str]:
        inetd = Path(__file__).with_name("inetd.py")
        own = (sys.executable, str(inetd), self.host, str(self.port))
        return (*own, str(self._binary), f"--exec-login={self._script}")
