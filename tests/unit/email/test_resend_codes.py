"""Resend's table of codes: every row is what Resend's page says, written down here a second time."""

import pytest

from channels.email import api_codes
from tests.unit.email.wording import Case, row_of, worded

CASES: list[Case] = [
    (429, "rate_limit_exceeded", "", "throttled account"),
    (429, "daily_quota_exceeded", "", "throttled account daily_quota 3600"),
    (429, "monthly_quota_exceeded", "", "throttled account monthly_quota 21600"),
    (429, "", "", "throttled account"),
    (409, "concurrent_idempotent_requests", "", "deferred earlier_call_under_way"),
    (409, "invalid_idempotent_request", "", "unconfirmed earlier_call"),
    (400, "invalid_idempotency_key", "", "misconfigured idempotency_key_refused"),
    (401, "missing_api_key", "", "misconfigured api_key_refused"),
    (403, "invalid_api_key", "", "misconfigured api_key_refused"),
    (401, "restricted_api_key", "", "misconfigured api_key_refused"),
    (403, "validation_error", "The domain is not verified.", "misconfigured domain_not_verified"),
    (400, "validation_error", "API key is invalid", "misconfigured api_key_refused"),
    (422, "invalid_from_address", "", "misconfigured sender_refused"),
    (422, "invalid_access", "", "misconfigured access_denied"),
    (422, "invalid_region", "", "misconfigured invalid_region"),
    (404, "not_found", "", "misconfigured wrong_address_of_provider"),
    (405, "method_not_allowed", "", "misconfigured wrong_address_of_provider"),
    (401, "", "", "misconfigured authentication_refused"),
    (403, "", "error code: 1010", "misconfigured authentication_refused"),
    (404, "", "", "misconfigured wrong_address_of_provider"),
    (405, "", "", "misconfigured wrong_address_of_provider"),
    (301, "", "", "misconfigured wrong_address_of_provider"),
    (302, "", "", "misconfigured wrong_address_of_provider"),
    (307, "", "", "misconfigured wrong_address_of_provider"),
    (308, "", "", "misconfigured wrong_address_of_provider"),
    (400, "validation_error", "Invalid `to` field.", "rejected message validation"),
    (422, "missing_required_field", "", "rejected message validation"),
    (422, "invalid_parameter", "", "rejected message validation"),
    (422, "invalid_attachment", "", "rejected message invalid_attachment"),
    (413, "", "", "rejected message message_too_large"),
    (451, "security_error", "", "rejected message security"),
    (500, "application_error", "", "unconfirmed server_error"),
    (500, "internal_server_error", "", "unconfirmed server_error"),
]


@pytest.fixture(scope="module")
def table() -> api_codes.Table:
    return api_codes.load("resend_codes.toml", idempotent=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[3]}")
def test_an_error_has_its_class(table: api_codes.Table, case: Case) -> None:
    status, error, text, expected = case

    assert worded(table, status, error, text) == expected


def test_each_row_is_reached(table: api_codes.Table) -> None:
    assert [row_of(table, case) for case in CASES] == list(table.rows)
