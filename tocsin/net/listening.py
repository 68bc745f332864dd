"""Sockets to listen on, with a word for whoever runs the gateway where a port cannot be had."""

import errno
import socket

from tocsin.errors import SettingsError


def bound(host: str, port: int, *, setting: str = "", advice: str = "") -> socket.socket:
    """Return a TCP socket that is bound to an address of this machine, IPv4 or IPv6.

    Raises SettingsError where it cannot be had: `setting` is the key that asked for it, `advice` what to do about it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        why = "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        named = f"{setting}: " if setting else ""
        raise SettingsError(f"{named}{host}:{port} {why}{advice}") from None
    return listening
