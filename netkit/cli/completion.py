"""``netkit completion``: the script that makes a shell complete netkit's words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from netkit.cli.main import COMPLETE_VARIABLE, PROGRAM
from netkit.cli.output import write_stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELLS = ("bash", "zsh", "fish", "powershell")

_WHERE = {
    "bash": "netkit completion bash > ~/.local/share/bash-completion/completions/netkit",
    "zsh": "netkit completion zsh > ~/.zfunc/_netkit     (with fpath+=~/.zfunc before compinit)",
    "fish": "netkit completion fish > ~/.config/fish/completions/netkit.fish",
    "powershell": "netkit completion powershell >> $PROFILE",
}

# COMP_WORDS is the text up to the cursor; an empty last word is told by the cursor standing
# behind a space.  Values are cleared afterwards: they would change the next call of netkit.
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $line = $commandAst.ToString()
    $end = [Math]::Min($line.Length, $cursorPosition - $commandAst.Extent.StartOffset)
    $env:COMP_WORDS = $line.Substring(0, $end)
    $env:COMP_WORD = $wordToComplete
    $env:%(complete_var)s = "powershell_complete"
    try {
        %(prog_name)s | ForEach-Object {
            $type, $value, $help = $_ -split "`t", 3
            if ($type -eq "plain") {
                if (-not $help) { $help = $value }
                [System.Management.Automation.CompletionResult]::new(
                    $value, $value, "ParameterValue", $help)
            }
        }
    } finally {
        Remove-Item Env:COMP_WORDS, Env:COMP_WORD, Env:%(complete_var)s
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for Windows PowerShell 5 and PowerShell 7 (``Register-ArgumentCompleter``)."""

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words before the cursor, and the one that is being typed."""
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))[1:]
        incomplete = os.environ.get("COMP_WORD", "").strip("'\"")
        if incomplete and words:
            words.pop()
        return words, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return type, value and help, separated by tabs."""
        help_text = " ".join((item.help or "").split())
        return f"{item.type}\t{item.value}\t{help_text}"


def register() -> None:
    """Make click know PowerShell."""
    add_completion_class(PowerShellComplete)


def script(shell: str, cli: click.Command) -> str:
    """Return the script for one of ``SHELLS``.

    Raises:
        KeyError: no such shell.
    """
    register()
    kind = get_completion_class(shell)
    if kind is None:
        raise KeyError(shell)
    # Not kind.source(): for bash it runs bash to learn its version, on whatever machine this is.
    return ShellComplete.source(kind(cli, {}, PROGRAM, COMPLETE_VARIABLE))


def _where(shells: Sequence[str]) -> str:
    return "\n".join(["\b", "To install:", *(f"  {_WHERE[shell]}" for shell in shells)])


@click.command(
    "completion", short_help="Print the completion script for a shell.", epilog=_where(SHELLS)
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script that makes SHELL complete commands, options and gateways."""
    write_stdout(script(shell, ctx.find_root().command))
    return 0
