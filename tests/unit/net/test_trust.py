"""Whom a TLS client trusts."""

import ssl
from pathlib import Path

import pytest
import trustme

from tocsin.errors import SettingsError
from tocsin.net.trust import trusting


def test_the_certificates_of_the_file_are_trusted_alone(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA(organization_name="Ours").cert_pem.write_to_path(str(file))

    context = trusting(str(file), key="email.ca_file")

    [certificate] = context.get_ca_certs()
    assert "Ours" in str(certificate["subject"])
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_file_of_no_use_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(SettingsError, match=r"^email\.ca_file \(.*\) cannot be used: No such file or directory$"):
        trusting(str(file), key="email.ca_file")

    file.write_text("not a certificate")

    with pytest.raises(SettingsError, match=r"^email\.ca_file \(.*\) cannot be used: it is no PEM file"):
        trusting(str(file), key="email.ca_file")
