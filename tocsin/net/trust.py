"""Whom a TLS client trusts: the certificates of a file, else the system's."""

import os
import ssl

from tocsin.errors import SettingsError


def trusting(ca_file: str | None, *, key: str) -> ssl.SSLContext:
    """Return a context that trusts the certificates of a PEM file, the system's if it is None.

    Raises SettingsError if the file is of no use. `key` is the setting that names it, for the error's words.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        not_pem = isinstance(error, ssl.SSLError)
        detail = "it is no PEM file of certificates" if not_pem else os.strerror(error.errno or 0)
        raise SettingsError(f"{key} ({ca_file}) cannot be used: {detail}") from error
