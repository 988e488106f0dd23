"""The keywords of ssh_config(5): what values they take, and what ssh assumes without them.

Values are kept in the form in which ``ssh -G`` prints them, so that both readers give the same.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Kind(enum.Enum):
    """How the arguments of a keyword are read."""

    CHOICE = enum.auto()
    INTEGER = enum.auto()
    PORT = enum.auto()
    SECONDS = enum.auto()
    WORD = enum.auto()
    WORDS = enum.auto()
    FILES = enum.auto()
    COMMAND = enum.auto()
    JUMP = enum.auto()
    FORWARD = enum.auto()
    ALGORITHMS = enum.auto()
    SEND_ENV = enum.auto()
    SET_ENV = enum.auto()
    IGNORED = enum.auto()
    BLOCK = enum.auto()


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword; ``choices`` maps what may be written to what ``ssh -G`` prints."""

    kind: Kind
    choices: Mapping[str, str] = field(default_factory=dict)


_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_TRUE_FALSE = {"yes": "true", "true": "true", "no": "false", "false": "false"}

_CHOICES: dict[str, dict[str, str]] = {
    "addressfamily": {"any": "any", "inet": "inet", "inet6": "inet6"},
    "canonicalizehostname": {**_TRUE_FALSE, "always": "always"},
    "compression": {"yes": "yes", "no": "no"},
    "controlmaster": {**_TRUE_FALSE, "auto": "auto", "ask": "ask", "autoask": "autoask"},
    "pubkeyauthentication": {**_TRUE_FALSE, "unbound": "unbound", "host-bound": "host-bound"},
    "stricthostkeychecking": {
        **_TRUE_FALSE,
        "off": "false",
        "ask": "ask",
        "accept-new": "accept-new",
    },
    "tunnel": {
        **_TRUE_FALSE,
        "yes": "point-to-point",
        "true": "point-to-point",
        "point-to-point": "point-to-point",
        "ethernet": "ethernet",
    },
    "verifyhostkeydns": {**_TRUE_FALSE, "ask": "ask"},
}

_FLAGS = (
    "batchmode canonicalizefallbacklocal checkhostip clearallforwardings enablesshkeysign "
    "exitonforwardfailure forwardx11 forwardx11trusted gatewayports gssapiauthentication "
    "gssapidelegatecredentials hashknownhosts hostbasedauthentication identitiesonly "
    "kbdinteractiveauthentication nohostauthenticationforlocalhost passwordauthentication "
    "permitlocalcommand proxyusefdpass streamlocalbindunlink tcpkeepalive visualhostkey"
)

_OTHERS: dict[Kind, str] = {
    Kind.INTEGER: "canonicalizemaxdots connectionattempts numberofpasswordprompts "
    "requiredrsasize serveralivecountmax",
    Kind.PORT: "port",
    Kind.SECONDS: "connecttimeout serveraliveinterval",
    Kind.WORD: "bindaddress bindinterface controlpath hostkeyalias hostname identityagent "
    "kbdinteractivedevices pkcs11provider preferredauthentications revokedhostkeys "
    "securitykeyprovider user xauthlocation",
    Kind.WORDS: "globalknownhostsfile userknownhostsfile",
    Kind.FILES: "certificatefile identityfile",
    Kind.COMMAND: "knownhostscommand localcommand proxycommand remotecommand",
    Kind.JUMP: "proxyjump",
    Kind.FORWARD: "dynamicforward localforward remoteforward",
    Kind.ALGORITHMS: "ciphers hostkeyalgorithms kexalgorithms macs",
    Kind.SEND_ENV: "sendenv",
    Kind.SET_ENV: "setenv",
    Kind.BLOCK: "host ignoreunknown include match",
    # Known to one ssh or another, and without a meaning for a tunnel.
    Kind.IGNORED: "addkeystoagent afstokenpassing canonicaldomains canonicalizepermittedcnames "
    "casignaturealgorithms channeltimeout cipher compressionlevel controlpersist "
    "enableescapecommandline escapechar fallbacktorsh fingerprinthash forkafterauthentication "
    "forwardagent forwardx11timeout globalknownhostsfile2 gssapiclientidentity "
    "gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey gssapiserveridentity "
    "gssapitrustdns hostbasedacceptedalgorithms hostbasedkeytypes ipqos kerberosauthentication "
    "kerberostgtpassing loglevel logverbose obscurekeystroketiming permitremoteopen "
    "protocol pubkeyacceptedalgorithms pubkeyacceptedkeytypes rekeylimit requesttty "
    "rhostsauthentication rhostsrsaauthentication rsaauthentication sessiontype smartcarddevice "
    "stdinnull streamlocalbindmask syslogfacility tag tunneldevice updatehostkeys usekeychain "
    "useprivilegedport userknownhostsfile2 useroaming usersh versionaddendum warnweakcrypto",
}

ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "tisauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
}
"""Older names, and what they are called now."""

KEYWORDS: dict[str, Keyword] = {
    **{name: Keyword(Kind.CHOICE, choices) for name, choices in _CHOICES.items()},
    **{name: Keyword(Kind.CHOICE, _YES_NO) for name in _FLAGS.split()},
    **{name: Keyword(kind) for kind, names in _OTHERS.items() for name in names.split()},
}

NONE_CLEARS = (
    "controlpath",
    "knownhostscommand",
    "localcommand",
    "pkcs11provider",
    "proxycommand",
    "remotecommand",
    "revokedhostkeys",
    "securitykeyprovider",
)
"""Options whose value ``none`` means "not set"."""

_CERTIFICATES = (
    "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,"
    "ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,"
    "sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,"
    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com"
)

_CIPHERS = (
    "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
)
_MACS = (
    "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"
    "hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,"
    "umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1"
)
_KEXALGORITHMS = (
    "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,"
    "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,"
    "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256"
)
_HOSTKEYALGORITHMS = (
    f"{_CERTIFICATES},ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
    "ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,"
    "rsa-sha2-512,rsa-sha2-256"
)

DEFAULTS: dict[str, tuple[str, ...]] = {
    "addressfamily": ("any",),
    "batchmode": ("no",),
    "canonicalizehostname": ("false",),
    "checkhostip": ("no",),
    "clearallforwardings": ("no",),
    "compression": ("no",),
    "connectionattempts": ("1",),
    "connecttimeout": ("none",),
    "controlmaster": ("false",),
    "exitonforwardfailure": ("no",),
    "gatewayports": ("no",),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
    "hashknownhosts": ("no",),
    "hostbasedauthentication": ("no",),
    "identitiesonly": ("no",),
    "identityfile": (
        "~/.ssh/id_rsa",
        "~/.ssh/id_ecdsa",
        "~/.ssh/id_ecdsa_sk",
        "~/.ssh/id_ed25519",
        "~/.ssh/id_ed25519_sk",
    ),
    "kbdinteractiveauthentication": ("yes",),
    "nohostauthenticationforlocalhost": ("no",),
    "numberofpasswordprompts": ("3",),
    "passwordauthentication": ("yes",),
    "permitlocalcommand": ("no",),
    "proxyusefdpass": ("no",),
    "pubkeyauthentication": ("true",),
    "requiredrsasize": ("1024",),
    "serveralivecountmax": ("3",),
    "serveraliveinterval": ("0",),
    "streamlocalbindunlink": ("no",),
    "stricthostkeychecking": ("ask",),
    "tcpkeepalive": ("yes",),
    "tunnel": ("false",),
    "userknownhostsfile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "verifyhostkeydns": ("false",),
    "ciphers": (_CIPHERS,),
    "macs": (_MACS,),
    "kexalgorithms": (_KEXALGORITHMS,),
    "hostkeyalgorithms": (_HOSTKEYALGORITHMS,),
}
"""What ssh assumes, in the form of ``ssh -G``; options not listed are unset."""
