"""One gateway's resolved options to a Hop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netkit.errors import ConfigError
from netkit.model import Gateway, Hop, HostKeyPolicy, Proxy, TunnelSpec
from netkit.plan.chain import Environment, Step
from netkit.text.proxies import parse_proxy
from netkit.text.ssh_config import Options
from netkit.text.ssh_options import first, is_off, is_on, is_set, names, number
from netkit.text.ssh_tokens import connection_tokens, expand_home, expand_tokens

_METHODS = ("publickey", "keyboard-interactive", "password")
_SWITCHES = {
    "publickey": "pubkeyauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
    "password": "passwordauthentication",
}
_POLICIES = {
    "yes": HostKeyPolicy.STRICT,
    "true": HostKeyPolicy.STRICT,
    "accept-new": HostKeyPolicy.ACCEPT_NEW,
    "ask": HostKeyPolicy.ASK,
    "no": HostKeyPolicy.ACCEPT_NEW,
    "false": HostKeyPolicy.ACCEPT_NEW,
    "off": HostKeyPolicy.ACCEPT_NEW,
}
WINDOWS_AGENT = r"\\.\pipe\openssh-ssh-agent"
_DEFAULT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes the Hop of one step; ``last`` is the destination, which ``-i``, ``-C`` and ciphers of
    the command line are for, as for ssh."""

    spec: TunnelSpec
    environment: Environment
    step: Step
    last: bool

    @property
    def options(self) -> Options:
        """The options of this step's gateway."""
        return self.step.options

    def hop(self) -> Hop:
        """Return the resolved hop.

        Raises:
            ConfigError: an option has an impossible value, or leaves no way to log in.
            UsageError: the proxy's URL is none.
        """
        gateway = self.step.gateway
        options = self.options
        host = first(options, "hostname", gateway.host)
        identities, explicit = self._identities()
        prompts = (
            0 if is_on(options, "batchmode") else number(options, "numberofpasswordprompts", 3)
        )
        return Hop(
            alias=gateway.host,
            host=host,
            port=self._port(),
            user=self._user(),
            name=first(options, "hostkeyalias", host),
            known_hosts=self._files("userknownhostsfile"),
            global_known_hosts=self._files("globalknownhostsfile"),
            hash_known_hosts=is_on(options, "hashknownhosts"),
            host_key=self._policy(),
            identities=identities,
            identities_explicit=explicit,
            identities_only=is_on(options, "identitiesonly"),
            certificates=self._files("certificatefile"),
            identity_agent=self._agent(),
            auth_methods=self._methods(),
            proxy_command=self._proxy_command(),
            proxy=self._proxy(),
            ciphers=self._algorithms("ciphers", self.spec.ciphers),
            macs=self._algorithms("macs", self.spec.macs),
            kex=self._algorithms("kexalgorithms"),
            host_key_algorithms=self._algorithms("hostkeyalgorithms"),
            compression=self._compression(),
            connect_timeout=self._timeout(),
            address_family=first(options, "addressfamily", "any").lower(),
            bind_address=first(options, "bindaddress") or None,
            password_prompts=prompts,
        )

    def _port(self) -> int:
        port = number(self.options, "port", 22)
        if not 1 <= port <= 65535:
            raise ConfigError(f"port {port} of {self.step.gateway} is out of range")
        return port

    def _user(self) -> str:
        return first(self.options, "user", self.environment.local.user)

    def _tokens(self) -> dict[str, str]:
        gateway: Gateway = self.step.gateway
        return connection_tokens(
            self.environment.local,
            host=first(self.options, "hostname", gateway.host),
            alias=gateway.host,
            port=self._port(),
            user=self._user(),
            key_alias=first(self.options, "hostkeyalias"),
            jump=first(self.options, "proxyjump"),
        )

    def _path(self, text: str) -> Path:
        local = self.environment.local
        expanded = expand_tokens(expand_home(text, local.home), self._tokens(), local.variables)
        if "\0" in expanded:
            raise ConfigError(f"{text!r} is no path: it holds a NUL")
        return Path(expanded)

    def _files(self, name: str) -> tuple[Path, ...]:
        values = self.options.get(name, ())
        return tuple(self._path(value) for value in values if value.lower() != "none")

    def _identities(self) -> tuple[tuple[Path, ...], bool]:
        """Return the key files to try, and whether someone named them."""
        named = self.spec.identities if self.last else ()
        configured = self.options.get("identityfile", ())
        if configured == self.environment.defaults.get("identityfile", ()):
            if named:
                return tuple(dict.fromkeys(named)), True
            present = self.environment.existing
            return tuple(p for p in self._files("identityfile") if p in present), False
        return tuple(dict.fromkeys(named + self._files("identityfile"))), True

    def _agent(self) -> str:
        variables = self.environment.local.variables
        default = variables.get("SSH_AUTH_SOCK", "")
        if not default and self.environment.windows:
            default = WINDOWS_AGENT
        value = first(self.options, "identityagent", "SSH_AUTH_SOCK")
        if value == "SSH_AUTH_SOCK":
            return default
        if value.lower() == "none":
            return ""
        if value.startswith("$") and not value.startswith("${"):
            return variables.get(value[1:], "")
        return str(self._path(value))

    def _methods(self) -> tuple[str, ...]:
        preferred = names(self.options, "preferredauthentications") or _METHODS
        methods = tuple(
            name
            for name in dict.fromkeys(preferred)
            if name in _METHODS and not is_off(self.options, _SWITCHES[name])
        )
        if methods:
            return methods
        raise ConfigError(
            f"the configuration of {self.step.gateway} allows no login that netkit knows",
            code="no-auth-method",
            cause=f"PreferredAuthentications is {','.join(preferred)}; netkit knows "
            f"{', '.join(_METHODS)}, each of which can be switched off; GSSAPI needs ssh itself",
        )

    def _policy(self) -> HostKeyPolicy:
        if self.spec.host_key is not None:
            return self.spec.host_key
        value = first(self.options, "stricthostkeychecking", "ask").lower()
        if value not in _POLICIES:
            raise ConfigError(f"StrictHostKeyChecking is {value!r}", cause="see ssh_config(5)")
        policy = _POLICIES[value]
        if policy is HostKeyPolicy.ASK and is_on(self.options, "batchmode"):
            return HostKeyPolicy.STRICT
        return policy

    def _proxy(self) -> Proxy | None:
        if self.spec.proxy is None or not self.step.direct:
            return None
        return parse_proxy(self.spec.proxy)  # an empty one is an error, not the direct way

    def _proxy_command(self) -> str | None:
        if (
            self.spec.proxy is not None
            or not self.step.direct
            or not is_set(self.options, "proxycommand")
        ):
            return None
        if self.last and self.spec.jumps is not None:
            # An explicit -J, "none" included, takes the place of every configured proxy.
            return None
        tokens = self._tokens()
        known = {letter: tokens[letter] for letter in "%hnpr"}
        return expand_tokens(first(self.options, "proxycommand"), known)

    def _algorithms(self, name: str, asked: tuple[str, ...] = ()) -> tuple[str, ...]:
        if asked and self.last:
            return asked
        if self.options.get(name) == self.environment.defaults.get(name):
            # ssh prints its whole list; only another one was somebody's choice.
            return ()
        return names(self.options, name)

    def _compression(self) -> bool:
        if self.last and self.spec.compression is not None:
            return self.spec.compression
        return is_on(self.options, "compression")

    def _timeout(self) -> float:
        if self.spec.connect_timeout is not None:
            return self.spec.connect_timeout
        return float(number(self.options, "connecttimeout", 0)) or _DEFAULT_TIMEOUT
