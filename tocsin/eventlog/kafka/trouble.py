"""Why no broker lets us in, in words that say what to set.

The driver says only that it reached none. So each address is tried once more, one step after the other: is there such
a name, does anybody listen, is TLS spoken on both sides or on neither, is the certificate trusted, is the user known.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from tocsin.eventlog.kafka.driver import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    MetadataRequest,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    collect_hosts,
    create_conn,
)

# OpenSSL's: the certificate is for another name, or for another address.
_OTHER_NAME = frozenset({62, 64})
_SECURITY = ("security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


async def why(common: Mapping[str, Any], *, seconds: float) -> str:
    """Return what is wrong with the first address with which something is; empty if nothing is found.

    `common` is what all clients are told. Each address has so many seconds.
    """
    for host, port, _ in collect_hosts(common["bootstrap_servers"], randomize=False):
        try:
            async with asyncio.timeout(seconds):
                told = await _of(host, port, common)
        except TimeoutError:
            told = f"did not answer within {seconds:g} s; is it a broker's port, and does a firewall let us through?"
        if told:
            return f"{host}:{port} {told}"
    return ""


async def _of(host: str, port: int, common: Mapping[str, Any]) -> str:
    context = common.get("ssl_context")
    try:
        await _connected(host, port, None)
    except socket.gaierror:
        return "is a name that is not known; see kafka.bootstrap_servers"
    except OSError:
        return "is where nothing listens; see kafka.bootstrap_servers, and whether the broker runs"
    return await _over_tls(host, port, context) or await _as_user(host, port, common)


async def _over_tls(host: str, port: int, context: ssl.SSLContext | None) -> str:
    """Return what is wrong with TLS, the lack of it included."""
    if context is None:
        try:
            await _connected(host, port, _trusting())
        except OSError:
            return ""
        return "speaks TLS, and we do not; set kafka.tls = true, or name its port without TLS"
    try:
        await _connected(host, port, context)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _OTHER_NAME:
            return f"has a certificate for another name: {error.verify_message}"
        return (
            f"has a certificate that is not trusted ({error.verify_message}); name the authority that issued it in "
            "kafka.ca_file"
        )
    except OSError:
        return "does not speak TLS, and we do; set kafka.tls = false, or name its port with TLS"
    return ""


async def _as_user(host: str, port: int, common: Mapping[str, Any]) -> str:
    """Return what is wrong with who we are."""
    security = {name: common[name] for name in _SECURITY if name in common}
    connection = None
    try:
        connection = await create_conn(host, port, **security)
        await connection.send(MetadataRequest([]))
    except (KafkaError, OSError) as error:
        return _refusal(error, mechanism=common.get("sasl_mechanism"))
    finally:
        if connection is not None:
            connection.close()
    return ""


def _refusal(error: Exception, *, mechanism: str | None) -> str:
    match error:
        case SaslAuthenticationFailed():
            return "does not let this user in with this password; see kafka.username, and kafka.password or its file"
        case UnsupportedSaslMechanismError():
            return f"does not know users by {mechanism}; set kafka.sasl to what it takes"
        case IllegalSaslStateError():
            return 'asks for no user at this port; set kafka.sasl = "none", or name its port with SASL'
        case KafkaConnectionError() if mechanism is None:
            return (
                "ended the connection; it may ask for a user (kafka.sasl), or for a certificate "
                "(kafka.certificate_file), or be no broker"
            )
    return f"ended the connection ({type(error).__name__}); see its log, and whether it is a broker"


async def _connected(host: str, port: int, context: ssl.SSLContext | None) -> None:
    """Connect, shake hands if it is over TLS, and go. Raises OSError, of which ssl.SSLError is one."""
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _trusting() -> ssl.SSLContext:
    """Return a context that asks only whether TLS is spoken: nothing is sent that way."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
