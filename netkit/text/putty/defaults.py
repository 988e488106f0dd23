"""What PuTTY saves for a setting that nobody changed, so that only choices are talked about.

The values are those that PuTTY 0.78 saved on Linux (tests/recorded/putty) and, where they differ,
its defaults on Windows and those of its older releases (settings.c).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from netkit.text.putty.session import Value

_ZERO: Final = """
    LogType SSHLogOmitData PingInterval PingIntervalSecs TCPKeepalives AddressFamily
    ProxyLocalhost ProxyMethod UserNameFromEnvironment NoPTY Compression AgentFwd GssapiFwd
    ChangeUsername SshNoAuth SshNoTrivialAuth AuthTIS SshNoShell SSH2DES RFCEnviron
    PassiveTelnet RXVTHomeEnd LinuxFunctionKeys ShiftedArrowKeys NoApplicationKeys
    NoApplicationCursors NoMouseReporting NoRemoteResize NoAltScreen NoRemoteWinTitle
    NoRemoteClearScroll NoDBackspace NoRemoteCharset ApplicationCursorKeys ApplicationKeypad
    NetHackKeypad AltSpace AltOnly ComposeKey TelnetKey AlwaysOnTop FullScreenOnAltEnter
    HideMousePtr SunkenEdge CurType BlinkCur BeepInd DECOriginMode LFImpliesCR CRImpliesLF
    DisableArabicShaping DisableBidi FontQuality UseSystemColours TryPalette RawCNP
    UTF8linedraw PasteRTF MouseIsXterm RectSelect PasteControls CJKAmbigWide CapsLockCyr
    ScrollBarFullScreen ScrollOnKey LockSize BlinkText X11Forward LocalPortAcceptAll
    RemotePortAcceptAll BugIgnore1 BugPlainPW1 BugRSA1 BugIgnore2 BugHMAC2 BugDeriveKey2
    BugRSAPad2 BugPKSessID2 BugRekey2 BugMaxPkt2 BugOldGex2 BugWinadj BugChanReq
    ScrollbarOnLeft ShadowBold SerialParity ConnectionSharing SUPDUPCharset
    SUPDUPMoreProcessing SUPDUPScrolling FontIsBold FontCharSet BoldFontIsBold BoldFontCharSet
    BoldFontHeight WideFontIsBold WideFontCharSet WideFontHeight WideBoldFontIsBold
    WideBoldFontCharSet WideBoldFontHeight BugRSASHA2CertUserauth ProxySOCKSVersion
"""

_ONE: Final = """
    LogFlush LogHeader SSHLogOmitPasswords WarnOnClose TCPNoDelay ProxyDNS ProxyLogToTerm
    TryAgent PreferKnownHostKeys SshBanner AuthKI AuthGSSAPI AuthGSSAPIKEX BackspaceIsDelete
    RemoteQTitleAction AltF4 CtrlAltKeys TelnetRet WindowBorder Beep BellOverload AutoWrapMode
    ANSIColour Xterm256Colour TrueColour BoldAsColour MouseOverride UTF8Override ScrollBar
    ScrollOnDisp EraseToScrollback BCE X11AuthType BugDropStart BugFilterKexinit StampUtmp
    LoginShell ShadowBoldOffset SerialFlowControl ConnectionSharingUpstream
    ConnectionSharingDownstream
"""

_EMPTY: Final = """
    HostName ProxyExcludeList ProxyUsername ProxyPassword Environment UserName LocalUserName
    GSSCustom LogHost PublicKeyFile DetachedCertificate AuthPlugin RemoteCommand BellWaveFile
    WinTitle Printer X11Display X11AuthFile PortForwardings WindowClass SSHManualHostKeys
    BoldFont WideFont WideBoldFont BoldFontName WideFontName WideBoldFontName
"""

_OTHER: Final[Mapping[str, tuple[Value, ...]]] = {
    "Answerback": ("PuTTY",),
    "BellOverloadN": (5,),
    "BellOverloadS": (5000,),
    "BellOverloadT": (2000,),
    "CloseOnExit": (1, 2),
    "CtrlShiftCV": ("none",),
    "CtrlShiftIns": ("implicit", "explicit"),
    "Font": ("Courier New", "fixed"),
    "FontHeight": (10,),
    "FontName": ("server:fixed",),
    "FontVTMode": (4,),
    "GSSLibs": ("libgssapi,libgssapi_krb5,libgss,custom", "gssapi32,sspi,custom", "custom"),
    "GssapiRekey": (2,),
    "HostKey": ("ed448,ed25519,ecdsa,rsa,dsa,WARN", "ed25519,ecdsa,rsa,dsa,WARN"),
    "LineCodePage": ("", "UTF-8", "ISO-8859-1", "ISO-8859-1:1998 (Latin-1, West Europe)"),
    "LocalEcho": (2,),
    "LocalEdit": (2,),
    "LogFileClash": (-1,),
    "LogFileName": ("putty.log",),
    "MouseAutocopy": (0, 1),
    "MousePaste": ("implicit", "explicit"),
    "PortNumber": (22,),
    "Present": (1,),
    "Protocol": ("ssh",),
    "ProxyHost": ("proxy",),
    "ProxyPort": (80,),
    "ProxyTelnetCommand": ("connect %host %port\\n",),
    "RekeyBytes": ("1G",),
    "RekeyTime": (60,),
    "RemoteQTitleAction": (1,),
    "SUPDUPLocation": ("The Internet",),
    "ScrollbackLines": (2000, 200),
    "SerialDataBits": (8,),
    "SerialLine": ("", "/dev/ttyS0", "COM1"),
    "SerialSpeed": (9600,),
    "SerialStopHalfbits": (2,),
    "ShadowBoldOffset": (1,),
    "SshProt": (3, 2),
    "TermHeight": (24,),
    "TermWidth": (80,),
    "TerminalSpeed": ("38400,38400",),
    "TerminalType": ("xterm",),
    "WinNameAlways": (0, 1),
}

CIPHERS: Final = (
    "aes,chacha20,aesgcm,3des,WARN,des,blowfish,arcfour",
    "aes,chacha20,3des,WARN,des,blowfish,arcfour",
    "aes,chacha20,blowfish,3des,WARN,arcfour,des",
    "aes,blowfish,3des,WARN,arcfour,des",
    "aes,blowfish,3des,WARN,des",
)
"""The lists that PuTTY 0.78 and its predecessors save as ``Cipher`` by default."""

_GROUPS = "dh-group18-sha512,dh-group17-sha512,dh-group16-sha512,dh-group15-sha512"

KEX: Final = (
    f"ntru-curve25519,ecdh,dh-gex-sha1,{_GROUPS},dh-group14-sha1,rsa,WARN,dh-group1-sha1",
    f"ecdh,dh-gex-sha1,{_GROUPS},dh-group14-sha1,rsa,WARN,dh-group1-sha1",
    "ecdh,dh-gex-sha1,dh-group14-sha1,rsa,WARN,dh-group1-sha1",
    "ecdh,dh-gex-sha1,dh-group14-sha1,dh-group1-sha1,rsa,WARN",
    "dh-gex-sha1,dh-group14-sha1,dh-group1-sha1,rsa,WARN",
)
"""The same for ``KEX``."""

_COLOURS: Final = (
    "187,187,187 255,255,255 0,0,0 85,85,85 0,0,0 0,255,0 0,0,0 85,85,85 187,0,0 255,85,85 "
    "0,187,0 85,255,85 187,187,0 255,255,85 0,0,187 85,85,255 187,0,187 255,85,255 0,187,187 "
    "85,255,255 187,187,187 255,255,255"
)

_NUMBERED = re.compile(r"(Colour|Wordness)[0-9]{1,3}\Z")


def _table() -> dict[str, tuple[Value, ...]]:
    table: dict[str, tuple[Value, ...]] = dict(_OTHER)
    table.update(dict.fromkeys(_ZERO.split(), (0,)))
    table.update(dict.fromkeys(_ONE.split(), (1,)))
    table.update(dict.fromkeys(_EMPTY.split(), ("",)))
    table.update({"Cipher": CIPHERS, "KEX": KEX})
    table.update({f"Colour{number}": (colour,) for number, colour in enumerate(_COLOURS.split())})
    return table


DEFAULTS: Final[Mapping[str, tuple[Value, ...]]] = _table()
"""What a setting may be without having been changed."""

_TEXT: Final = frozenset(
    name for name, values in DEFAULTS.items() if isinstance(values[0], str)
) | {"TerminalModes"}


def is_text(key: str) -> bool:
    """Tell whether PuTTY keeps a setting as text, even if it looks like a number."""
    return key in _TEXT or bool(_NUMBERED.match(key))


def is_known(key: str) -> bool:
    """Tell whether PuTTY 0.78 has such a setting."""
    return key in DEFAULTS or key == "TerminalModes" or bool(_NUMBERED.match(key))


def is_default(key: str, value: Value) -> bool:
    """Tell whether nobody has changed a setting; unknown ones count as changed."""
    if key == "TerminalModes":
        return all(mode.endswith("=A") for mode in str(value).split(",") if mode)
    if key.startswith("Wordness"):
        return True  # what a double click takes: of no interest to a tunnel
    return any(str(value) == str(default) for default in DEFAULTS.get(key, ()))
