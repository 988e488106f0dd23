"""``netkit key``: making, showing, converting and installing keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from netkit.cli import options
from netkit.cli.main import META_OUTPUT, debug_option
from netkit.cli.output import Output

FORMS = ("openssh", "pem", "pkcs8", "ppk", "ppk2")
_PATH = click.Path(path_type=Path)


@click.group(
    "key",
    short_help="Make, show, convert and install keys.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@debug_option
def command() -> None:
    """Key pairs: making them, looking at them, converting them, bringing them to a gateway.

    Files of OpenSSH, PEM, PKCS#8 and PuTTY (versions 2 and 3) are read, and work with -i.
    """


_NEW_EPILOG = """\b
Examples:
  netkit key new
  netkit key new work --type rsa --bits 4096 --comment me@laptop
  netkit key new ~/keys/backup --no-passphrase --format ppk
"""


@command.command("new", cls=options.RememberingCommand, epilog=_NEW_EPILOG)
@click.argument("file", type=_PATH, required=False)
@click.option(
    "--type",
    "kind",
    type=click.Choice(("ed25519", "rsa", "ecdsa")),
    default="ed25519",
    show_default=True,
    help="Kind of key.",
)
@click.option("--bits", type=int, help="Size: RSA 2048 to 16384 (3072), ECDSA 256, 384 or 521.")
@click.option("--comment", help="Tells it from others (default: user@machine).")
@click.option("--passphrase-stdin", is_flag=True, help="Read the passphrase from standard input.")
@click.option("--no-passphrase", is_flag=True, help="Whoever has the file can use the key.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="openssh",
    show_default=True,
    help="ppk is PuTTY's.",
)
@debug_option
@click.pass_context
def new(ctx: click.Context, /, file: Path | None, **values: Any) -> int:
    """Make a key pair: FILE and FILE.pub (default ~/.ssh/id_TYPE).  Nothing is overwritten."""
    from netkit.cli.key.files import make

    output = ctx.meta[META_OUTPUT] = Output()
    return make(output, file, **values)


_CONVERT_EPILOG = """\b
Examples:
  netkit key convert work.ppk --to openssh
  netkit key convert ~/.ssh/id_rsa --to ppk -o work.ppk
  netkit key convert work.ppk --to public

An encrypted key stays encrypted, with the same passphrase. Without -o the file gets the name of
FILE with another ending; a public key goes to standard output.
"""


@command.command("convert", cls=options.RememberingCommand, epilog=_CONVERT_EPILOG)
@click.argument("file", type=_PATH)
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice((*FORMS, "public")),
    help="pem: PKCS#1 or SEC1; ppk: PuTTY's version 3; ppk2: for PuTTY before 0.75.",
)
@click.option("-o", "out", type=_PATH, metavar="OUT", help="File to write.")
@click.option("--replace", is_flag=True, help="Replace OUT if it is there.")
@click.option("--comment", help="In place of the one that it has.")
@click.option(
    "--passphrase-stdin", is_flag=True, help="Read its passphrase from a line of standard input."
)
@click.option("--new-passphrase", is_flag=True, help="Ask for another passphrase.")
@click.option(
    "--new-passphrase-stdin",
    is_flag=True,
    help="Read another passphrase from the (next) line of standard input.",
)
@click.option("--no-passphrase", is_flag=True, help="Write it unencrypted.")
@debug_option
@click.pass_context
def convert(ctx: click.Context, /, file: Path, **values: Any) -> int:
    """Write a private key in another format, or its public half."""
    from netkit.cli.key.files import convert as run

    output = ctx.meta[META_OUTPUT] = Output()
    return run(output, file, **values)


@command.command("show", cls=options.RememberingCommand)
@click.argument("files", type=_PATH, nargs=-1, required=True, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@debug_option
@click.pass_context
def show(ctx: click.Context, /, files: tuple[Path, ...], *, as_json: bool) -> int:
    """Show what keys are in files: type, size, comment, fingerprints, and what is wrong.

    Private keys of any format, public keys, certificates, authorized_keys, known_hosts. Of an
    encrypted key the public half is shown; its passphrase is asked for only where that half is
    encrypted too (PEM, PKCS#8).
    """
    from netkit.cli.key.files import show as run

    output = ctx.meta[META_OUTPUT] = Output(as_json=as_json)
    return run(output, files)


_INSTALL_EPILOG = """\b
Examples:
  netkit key install me@gateway
  netkit key install gw -i ~/.ssh/id_work -J jump
  netkit key install gw -i tunnel --restrict --permit-open db.internal:5432

It logs in with whatever there is (a password, another key), adds the public half, and then logs in
with this key alone: only that is success. Nothing is lost if the disk is full or the link dies.
"""


@command.command("install", cls=options.RememberingCommand, epilog=_INSTALL_EPILOG)
@options.gateway_options
@click.option("--restrict", is_flag=True, help="The key may forward, and nothing else.")
@click.option(
    "--permit-open",
    multiple=True,
    metavar="HOST:PORT",
    help="With --restrict: connect only there (default: anywhere).",
)
@click.option(
    "--permit-listen",
    multiple=True,
    metavar="[HOST:]PORT",
    help="With --restrict: listen only there (default: anywhere).",
)
@click.option(
    "--replace", is_flag=True, help="Where the key is there with other options, change them."
)
@click.option(
    "--authorized-keys",
    "remote_file",
    metavar="PATH",
    help="File on the gateway (default: what its sshd reads).",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@debug_option
@click.pass_context
def install(ctx: click.Context, /, gateway: str | None, **values: Any) -> int:
    """Bring a key to GATEWAY, and prove that it logs in; what ssh-copy-id does.

    Without -i it is the first key that ssh would offer. -J, -l, -p, -i, -F mean what they mean to
    ssh(1).
    """
    from netkit.cli.key.install import run

    output = ctx.meta[META_OUTPUT] = Output()
    return run(ctx.obj, output, gateway, values)
