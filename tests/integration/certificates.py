"""A certificate authority of our own, for servers on loopback."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The CA's certificate, and one that it issued for 127.0.0.1 and localhost, as PEM files."""

    ca_file: Path
    certificate: Path
    key: Path
    authority: trustme.CA

    def other_name_context(self) -> ssl.SSLContext:
        """Return a context for a server that shows a certificate for another name."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("mail.elsewhere.example").configure_cert(context)
        return context

    def server_context(self) -> ssl.SSLContext:
        """Return a context for a server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def issue(folder: Path) -> Certificates:
    """Make a CA and a certificate in a folder."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    found = Certificates(
        ca_file=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key", authority=authority
    )
    authority.cert_pem.write_to_path(str(found.ca_file))
    issued.private_key_pem.write_to_path(str(found.key))
    for index, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(found.certificate), append=index > 0)
    return found
