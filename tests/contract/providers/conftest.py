"""The providers under contract. Another one joins the suite by one more case here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.providers import email_cases, push_cases, sms_cases
from tests.contract.providers.harness import Authority, Case
from tests.contract.providers.world import World, opened

CASES = (
    *(email_cases.SMTP, email_cases.SES, email_cases.RESEND),
    *(sms_cases.TWILIO, sms_cases.VONAGE),
    *(push_cases.FCM, push_cases.APNS, push_cases.WEBPUSH),
)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
async def world(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with opened(case, tmp_path, authority) as made:
        yield made
