"""`tocsin vapid`: keys with which a gateway tells push services who it is (RFC 8292)."""

import base64
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tocsin.cli import options, output
from tocsin.cli.failures import CommandFailed

_OWNER_ONLY = 0o600


def new(
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the private key goes; nothing is overwritten.")
    ] = Path("vapid.pem"),
    as_json: options.AsJson = False,
) -> None:
    """Make a VAPID key: the private one goes into a file that only you can read.

    Set `webpush.vapid_key_file` to it. Pages subscribe with the public one, which the gateway tells them.

    \b
    Example:
      tocsin vapid new secrets/vapid.pem
    """
    private, public = _made()
    _keep(file, private)
    if as_json:
        output.json({"file": str(file), "public_key": public})
        return
    console = output.out()
    for name, value in (("file", str(file)), ("public key", public)):
        # No table, which would break the key in a narrow window: it is there to be copied.
        console.print(Text.assemble((f"{name:<12}", "dim"), output.plain(value)), soft_wrap=True)
    output.note("Keep the file: the subscriptions of browsers are bound to its key.")


def _made() -> tuple[bytes, str]:
    """Return a new private key in PEM (PKCS8), and the public one as pages take it: its point in base64url."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - help need not load it
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - as above

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return private, base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _keep(file: Path, private: bytes) -> None:
    try:
        # Made with its mode: there is no moment at which others could open it.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as opened:
            opened.write(private)
    except FileExistsError:
        raise CommandFailed(f"{file} is there already, and browsers may be bound to its key: name another") from None
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}") from error
