"""What is run on a gateway with a shell, and what its output means.  Pure.

Everything works with a login alone.  A source makes a directory of its own under the gateway's
``$TMPDIR``, keeps its data there and removes it when its input ends, however that comes about.
"""

from __future__ import annotations

import base64
import re
from typing import Final

PIECE: Final = 8 << 10
"""Bytes of the smallest answer of a source."""

PIECES: Final = 16
WHOLE: Final = PIECES * PIECE
"""Bytes of a source's data: what it has to say, over and over."""

MOST_WHOLES: Final = 64
"""How often a source says its data at most for one request."""

READY: Final = b"netkit-ready\n"

PROBE: Final = (
    "exec sh -c 'for p in cat head dd mktemp; do command -v $p >/dev/null || exit 1; done; "
    "echo netkit-$((6*7))'"
)
"""Answered as `is_posix` wants it where a POSIX shell finds all that is needed here."""

_ANSWERED: Final = b"netkit-42"

SINK: Final = "echo netkit-ready; exec cat >/dev/null"
"""Says `READY` when it takes data."""

ECHO: Final = "echo netkit-ready; exec cat"
"""Says `READY`, and then what it hears."""

FIRST_BYTE: Final = "echo x; exec cat >/dev/null"

CPU: Final = (
    "exec sh -c 't=$(getconf CLK_TCK); while read n; do "
    "cat /proc/$PPID/stat 2>/dev/null || ps -o time= -p $PPID; echo =$t; done'"
)
"""Tells, for each line, the CPU time of the process that started the shell: the gateway's, for
this connection.  An answer ends with `CPU_END`, and a newline."""

CPU_END: Final = b"="

_NAMES: Final = " ".join(map(str, range(PIECES)))
_SEEDS: Final = {"random": "/dev/urandom", "zeros": "/dev/zero"}
_SOURCE: Final = (
    'd=$(mktemp -d) && [ -d "$d" ] && cd "$d" || exit 9; '
    'trap "rm -f s {names}; cd /; rmdir \\"$d\\"" 0; trap "exit 0" 1 2 13 15; '
    "head -c {size} {seed}>s; "
    "for i in {names}; do dd if=s of=$i bs={piece} skip=$i count=1 2>/dev/null; done; "
    'm="s s s s s s s s"; x="$m $m $m $m $m $m $m $m"; echo netkit-ready; '
    "while read n; do case $n in X) cat $x;; *) cat $n;; esac || exit 1; done"
)


def is_posix(stdout: bytes) -> bool:
    """Whether the answer to `PROBE` is that of a POSIX shell with all the programs."""
    return _ANSWERED in stdout.split()


def is_generated(corpus: str) -> bool:
    """Whether the gateway can make the data of ``corpus`` itself."""
    return corpus in _SEEDS


def source(corpus: str) -> str:
    """Return the command of a source; it first takes `WHOLE` bytes of data, unless generated.

    Then it says `READY`, and answers each request that `unit` returns with so many bytes.
    """
    seed = f"{_SEEDS[corpus]} " if corpus in _SEEDS else ""
    script = _SOURCE.format(size=WHOLE, seed=seed, piece=PIECE, names=_NAMES)
    return f"exec sh -c '{script}'"


def unit(most: float, at: int) -> tuple[int, bytes]:
    """Return the size of the largest answer of at most ``most`` bytes, and the request for it.

    ``at`` is how many bytes were asked for before, so that small answers go through all of the
    data.  There is no answer of less than `PIECE`.
    """
    wholes = int(min(most / WHOLE, MOST_WHOLES))
    if wholes:
        return wholes * WHOLE, b"X\n" if wholes == MOST_WHOLES else b" ".join(
            [b"s"] * wholes
        ) + b"\n"
    first, count = at // PIECE, max(int(most / PIECE), 1)
    names = " ".join(str((first + number) % PIECES) for number in range(count))
    return count * PIECE, names.encode() + b"\n"


_STAT: Final = re.compile(rb"\)\s+\S(?:\s+-?\d+){10}\s+(\d+)\s+(\d+)\b")
_TIME: Final = re.compile(rb"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)\s*(?:=\d*\s*)?\Z")
_TICKS: Final = re.compile(rb"=(\d{1,6})\s*\Z")


def cpu_seconds(stdout: bytes) -> float | None:
    """Return what an answer of `CPU` says; None where it says nothing (proc(5), ps(1))."""
    stat = _STAT.search(stdout[:4096])
    if stat is not None:
        ticks = _TICKS.search(stdout[:8192])
        rate = int(ticks[1]) if ticks and int(ticks[1]) else 100
        return (int(stat[1][:15]) + int(stat[2][:15])) / rate
    time = _TIME.search(stdout[:256])
    if time is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in time.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def powershell(script: str) -> str:
    """Return a command line for ``script`` that cmd.exe, PowerShell and POSIX shells pass on."""
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    return f"powershell -NoLogo -NoProfile -NonInteractive -EncodedCommand {encoded}"


_STREAMS: Final = (
    "$i=[Console]::OpenStandardInput();$o=[Console]::OpenStandardOutput();"
    "function say($t){$b=[Text.Encoding]::ASCII.GetBytes($t);$o.Write($b,0,$b.Length);$o.Flush()};"
)
_SEED_BYTES: Final = (
    "$d=New-Object byte[] {size};$g=0;"
    "while($g -lt {size}){{$n=$i.Read($d,$g,{size}-$g);if($n -le 0){{exit 9}};$g+=$n}};"
)
_SEED_RANDOM: Final = "$d=New-Object byte[] {size};(New-Object Random 1).NextBytes($d);"
_SEED_ZEROS: Final = "$d=New-Object byte[] {size};"
_ANSWER: Final = (
    'say "netkit-ready`n";$l="";'
    "while(($c=$i.ReadByte()) -ge 0){{if($c -ne 10){{$l+=[char]$c;continue}};"
    'if($l -eq "X"){{for($k=0;$k -lt {wholes};$k++){{$o.Write($d,0,{size})}}}}'
    'else{{foreach($p in $l.Split(" ")){{if($p -eq "s"){{$o.Write($d,0,{size})}}'
    "else{{$o.Write($d,{piece}*[int]$p,{piece})}}}}}};"
    '$o.Flush();$l=""}}'
)

POWERSHELL_PROBE: Final = powershell(f'{_STREAMS}say "netkit-powershell`n"')
POWERSHELL_SINK: Final = powershell(
    f'{_STREAMS}say "netkit-ready`n";'
    "$b=New-Object byte[] 262144;while($i.Read($b,0,$b.Length) -gt 0){}"
)
POWERSHELL_ECHO: Final = powershell(
    f'{_STREAMS}say "netkit-ready`n";$b=New-Object byte[] 4096;'
    "while(($n=$i.Read($b,0,$b.Length)) -gt 0){$o.Write($b,0,$n);$o.Flush()}"
)
POWERSHELL_FIRST_BYTE: Final = "echo x"
POWERSHELL_CPU: Final = powershell(
    f"{_STREAMS}"
    '$p=Get-CimInstance Win32_Process -Filter "ProcessId=$PID";'
    'while($p -and $p.Name -ne "sshd.exe")'
    '{$p=Get-CimInstance Win32_Process -Filter "ProcessId=$($p.ParentProcessId)"};'
    "while($p -and ($c=$i.ReadByte()) -ge 0){"
    '$q=Get-CimInstance Win32_Process -Filter "ProcessId=$($p.ProcessId)";'
    "$t=($q.KernelModeTime+$q.UserModeTime)/1e7;"
    'say ("0:"+$t.ToString("F3",[Globalization.CultureInfo]::InvariantCulture)+"`n=`n")}'
)


def powershell_source(corpus: str) -> str:
    """Return what `source` does, for PowerShell."""
    seed = {"random": _SEED_RANDOM, "zeros": _SEED_ZEROS}.get(corpus, _SEED_BYTES)
    return powershell(
        _STREAMS + (seed + _ANSWER).format(size=WHOLE, piece=PIECE, wholes=MOST_WHOLES)
    )
