"""What a client needs to use the simulator, made anew in each process and worth nothing anywhere else.

A signing key as Apple's developer account hands one out, and a certificate authority for the server's name.
"""

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_ID = "SIMULATED1"
TEAM_ID = "SIMTEAM001"
TOPIC = "com.example.tocsin"

_NAMES = ("localhost", "simulators", "apns.simulator.test")
_ADDRESSES = ("127.0.0.1", "::1")
_VALID_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The app's signing key, and the server's certificate chain."""

    key: EllipticCurvePrivateKey = field(repr=False)
    ca: x509.Certificate
    certificate: x509.Certificate
    certificate_key: EllipticCurvePrivateKey = field(repr=False)

    def key_pem(self) -> str:
        """Return the signing key as the text of a .p8 file."""
        return _pem(self.key)

    def ca_pem(self) -> str:
        """Return the authority's certificate, for the client to trust."""
        return self.ca.public_bytes(Encoding.PEM).decode()

    def server_context(self) -> ssl.SSLContext:
        """Return a context for the server, which offers HTTP/2 alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        # OpenSSL's wrapper reads certificates from files only. The folder is its owner's alone.
        with TemporaryDirectory(prefix="tocsin-apns-") as folder:
            chain = Path(folder) / "server.pem"
            chain.write_text(_pem(self.certificate_key) + self.certificate.public_bytes(Encoding.PEM).decode())
            context.load_cert_chain(chain)
        return context


def generate(now: datetime) -> Credentials:
    """Return new credentials, good for a year from `now`."""
    authority_key, server_key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    authority = _name("Tocsin APNs simulator CA")
    ca = (
        _builder(authority, authority, authority_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, SHA256())
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name("Tocsin APNs simulator"), authority, server_key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_hosts()), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, SHA256())
    )
    return Credentials(
        key=generate_private_key(SECP256R1()), ca=ca, certificate=certificate, certificate_key=server_key
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
    )


def _hosts() -> list[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    return [*(x509.DNSName(name) for name in _NAMES), *addresses]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
