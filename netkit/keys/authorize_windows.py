"""The same as `netkit.keys.authorize` for OpenSSH on Windows: PowerShell, and icacls.

Pure.  Members of the group Administrators have their keys in ``administrators_authorized_keys``,
as sshd_config there says unless somebody changed it; only SYSTEM and Administrators may write it.
The data comes on standard input, a value a line.  Source: learn.microsoft.com, "Key-based
authentication in OpenSSH for Windows".
"""

from __future__ import annotations

import base64
from typing import Final

from netkit.keys.authorize import Wanted


def powershell(script: str) -> str:
    """Return a command line for ``script`` that cmd.exe, PowerShell and POSIX shells pass on."""
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    return f"powershell -NoLogo -NoProfile -NonInteractive -EncodedCommand {encoded}"


def is_windows(server: str) -> bool:
    """Whether the gateway's version line is that of OpenSSH on Windows."""
    return "for_Windows" in server


def stdin(wanted: Wanted) -> bytes:
    """Return what the script reads: type, key, options, line, replace, file; a line each."""
    replace = "yes" if wanted.replace else ""
    values = (wanted.type, wanted.base64, wanted.options, wanted.line, replace, wanted.file)
    return "".join(f"{value}\n" for value in values).encode("utf-8", "surrogateescape")


_SCRIPT: Final = r"""
$ErrorActionPreference='Stop'
$utf8=New-Object Text.UTF8Encoding $false
$reader=New-Object IO.StreamReader([Console]::OpenStandardInput(),$utf8)
function say($t){[Console]::Out.WriteLine("netkit-key: $t")}
function fail($t){say "failed $t";exit 1}
$type,$blob,$options,$line,$replace,$given=@(1..6|%{$reader.ReadLine()})
$me=[Security.Principal.WindowsIdentity]::GetCurrent()
$role=[Security.Principal.WindowsBuiltInRole]::Administrator
$admin=(New-Object Security.Principal.WindowsPrincipal $me).IsInRole($role)
$config="$env:ProgramData\ssh\sshd_config"
$own='^\s*AuthorizedKeysFile\s+__PROGRAMDATA__'
$shared=$admin -and -not $given -and (Test-Path $config) -and (Select-String -Quiet $own $config)
$file=if($given){[IO.Path]::Combine($env:USERPROFILE,$given)}
elseif($shared){"$env:ProgramData\ssh\administrators_authorized_keys"}
else{"$env:USERPROFILE\.ssh\authorized_keys"}
say "file $file"
try{
$dir=Split-Path $file
if(-not (Test-Path $dir)){New-Item -ItemType Directory $dir|Out-Null}
$rows=@();if(Test-Path $file){$rows=@([IO.File]::ReadAllLines($file))}
$key=[regex]::Escape("$type $blob").Replace('\ ','\s+')
$out=@();$found=0;$odd=0
foreach($row in $rows){
$m=[regex]::Match($row,"^(?>\s*)(?!#)(.*?)\s*(?:^|(?<=\s))$key(?:\s|$)")
if(-not $m.Success){$out+=$row;continue}
$found++;if($m.Groups[1].Value -cne $options){$odd++}
if($found -eq 1){say "options $($m.Groups[1].Value)";$out+=$line}
}
$done='present'
if($found -eq 0){$out+=$line;$done='added'}
elseif($odd -and $replace){$done='updated'}
elseif($odd -and $options){fail "differs $file"}
if($done -ne 'present'){
$draft="$file.netkit.$PID"
try{
[IO.File]::WriteAllLines($draft,[string[]]$out,$utf8)
if(Test-Path $file){[IO.File]::Replace($draft,$file,[NullString]::Value)}
else{[IO.File]::Move($draft,$file)}
}finally{if(Test-Path $draft){Remove-Item $draft}}
}
$grants=@('*S-1-5-18:F')
if($shared){$grants+='*S-1-5-32-544:F'}else{$grants+="*$($me.User.Value):F"}
$rights=@($grants|%{'/grant';$_})
icacls $file /inheritance:r @rights|Out-Null
if($LASTEXITCODE){say "suspect $file"}
say $done
say end
}catch [IO.IOException]{fail "full $dir"}
catch{fail "cannot-write $dir"}
"""

COMMAND: Final = powershell("\n".join(_SCRIPT.strip().splitlines()))
"""Fits into the 8191 characters that cmd.exe takes."""
