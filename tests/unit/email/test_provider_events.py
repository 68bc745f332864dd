"""What SES and Resend tell of mails, as receipts: of whose mail, and is the address to be used again?"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.email import codes, resend_events, ses_events, tags
from channels.email.mail import Mail
from channels.email.receipts import Finding
from tests.unit.email.coming_back import ADDRESS, NOW, REFERENCE
from tocsin.errors import SettingsError
from tocsin.lifecycle import Event

TABLE = codes.load()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = resend_events.signing_key(SECRET)
MAIL = Mail(
    sender="a@shop.example",
    recipient=ADDRESS,
    data=b"",
    size=0,
    needs_smtputf8=False,
    delivery_id=REFERENCE.delivery_id,
    notification_id=REFERENCE.notification_id,
    tenant="default",
)
TAGS = tags.of(MAIL, f"{REFERENCE.delivery_id}:1")

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(ADDRESS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def by_ses(kind: str, member: str, told: Any, **mail: Any) -> Finding:
    whose = {"messageId": "0100-1", "tags": {name: [value] for name, value in TAGS.items()}, **mail}
    return ses_events.finding({"eventType": kind, member: told, "mail": whose}, TABLE, now=NOW)


def bounce(kind: str, subtype: str = "General", **recipient: Any) -> Finding:
    recipients = [{"emailAddress": ADDRESS, "action": "failed", **recipient}]
    told = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients}
    return by_ses("Bounce", "bounce", told)


def by_resend(kind: str, **data: Any) -> Finding:
    told = {"email_id": "re-1", "to": [ADDRESS], "tags": TAGS, **data}
    return resend_events.finding({"type": kind, "data": told}, TABLE, now=NOW)


def data(finding: Finding) -> dict[str, Any]:
    assert finding.event is not None
    return finding.event.data


@pytest.mark.parametrize(
    ("finding", "suppressed"),
    [
        (bounce("Permanent", status="5.1.1", diagnosticCode="smtp; 550 5.1.1 user unknown"), True),
        (bounce("Permanent", "NoEmail"), True),
        (bounce("Permanent", "OnAccountSuppressionList"), True),
        (bounce("Permanent", status="5.7.1", diagnosticCode="smtp; 550 5.7.1 spam"), False),
        (bounce("Permanent", status="5.2.2"), False),
        (bounce("Transient", status="5.1.1"), False),
        (bounce("Undetermined", "Undetermined"), False),
        (bounce("Permanent", status="5.1.1", emailAddress="bert@example.com"), False),
        (by_resend("email.bounced", bounce={"type": "Permanent", "subType": "Suppressed", "message": "x"}), True),
        (by_resend("email.bounced", bounce={"type": "Permanent", "diagnosticCode": ["smtp; 550 5.1.1 x"]}), True),
        (by_resend("email.bounced", bounce={"type": "Permanent", "diagnosticCode": "smtp; 550 5.1.1 x"}), True),
        (by_resend("email.bounced", bounce={"type": "Permanent", "subType": "General"}), False),
        (by_resend("email.bounced", bounce={"type": "Transient", "diagnosticCode": ["smtp; 550 5.1.1 x"]}), False),
        (by_resend("email.bounced", bounce={"type": "Permanent", "subType": "Suppressed"}, to=["x@y.z"]), False),
        (by_resend("email.bounced"), False),
    ],
)
def test_an_address_is_suppressed_where_it_is_dead_for_good(finding: Finding, suppressed: bool) -> None:
    assert finding.event is not None
    assert finding.event.type is Event.RECEIPT_FAILED
    assert finding.event.data.get("address") == (ADDRESS if suppressed else None)


@pytest.mark.parametrize(
    ("finding", "event", "address"),
    [
        (
            by_ses("Complaint", "complaint", {"complainedRecipients": [{"emailAddress": ADDRESS}]}),
            "complained",
            ADDRESS,
        ),
        (by_ses("Complaint", "complaint", {"complainedRecipients": []}), "complained", None),
        (by_ses("Delivery", "delivery", {"smtpResponse": "250 OK", "recipients": [ADDRESS]}), "confirmed", None),
        (by_ses("DeliveryDelay", "deliveryDelay", {"delayedRecipients": [{"status": "5.1.1"}]}), "delayed", None),
        (by_resend("email.complained"), "complained", ADDRESS),
        (by_resend("email.delivered"), "confirmed", None),
        (by_resend("email.delivery_delayed"), "delayed", None),
        (
            by_resend("email.delivered", tags=[{"name": name, "value": value} for name, value in TAGS.items()]),
            "confirmed",
            None,
        ),
    ],
)
def test_each_event_is_a_receipt_of_its_life(finding: Finding, event: str, address: str | None) -> None:
    assert finding.event is not None
    assert finding.event.type == f"tocsin.receipt.{event}"
    assert (finding.event.delivery_id, finding.event.life) == (REFERENCE.delivery_id, 1)
    assert finding.event.data.get("address") == address


def test_what_a_provider_says_is_kept_without_addresses() -> None:
    told = data(bounce("Permanent", status="5.1.1", diagnosticCode=f"smtp; 550 5.1.1 <{ADDRESS}> unknown"))
    other = data(
        by_resend("email.bounced", bounce={"type": "Transient", "subType": "General", "message": f"{ADDRESS}!"})
    )

    assert (told["provider"], told["provider_id"], told["code"]) == ("ses", "0100-1", "550 5.1.1")
    assert told["message"] == "5.1.1 <address> unknown"
    assert (other["provider"], other["provider_id"], other["code"]) == ("resend", "re-1", "Transient General")
    assert ADDRESS not in other["message"]


@pytest.mark.parametrize("kind", ["Send", "Open", "Click", "", "Reject"])
def test_other_events_are_none_of_our_business(kind: str) -> None:
    assert by_ses(kind, "open", {}).result == "ignored"
    assert by_resend(f"email.{kind}").result == "ignored"
    assert by_ses("Complaint", "complaint", {"complaintFeedbackType": "not-spam"}).result == "ignored"


@pytest.mark.parametrize("wrong", [{}, {"tocsin_life": "x"}, {"tocsin_delivery": 7}, None, [], {"tocsin_tenant": "ü"}])
def test_without_our_tags_it_is_unmatched(wrong: Any) -> None:
    found = {**TAGS, **wrong} if isinstance(wrong, dict) and wrong else wrong

    assert by_resend("email.bounced", tags=found).result == "unmatched"
    assert by_ses("Bounce", "bounce", {}, tags=found).result == "unmatched"


@settings(deadline=None)
@given(documents, documents)
def test_whatever_they_say_nothing_raises(told: Any, mail: Any) -> None:
    by_ses("Bounce", "bounce", told)
    by_ses("Bounce", "bounce", {"bouncedRecipients": told, "bounceType": "Permanent"})
    ses_events.finding({"eventType": "Complaint", "complaint": told, "mail": mail}, TABLE, now=NOW)
    by_resend("email.bounced", bounce=told, to=mail)
    resend_events.finding({"type": "email.bounced", "data": told}, TABLE, now=NOW)


def headers(raw: bytes, *, sent_at: Any = NOW, key: bytes = KEY) -> dict[str, str]:
    timestamp = str(int(sent_at.timestamp()))
    signed = resend_events.signature(key, "msg_1", timestamp, raw)
    return {"svix-id": "msg_1", "svix-timestamp": timestamp, "svix-signature": signed}


def believed(found: dict[str, str], raw: bytes = b"{}") -> bool:
    return resend_events.believed(KEY, found, raw, now=NOW)


def test_the_signature_is_that_of_svix() -> None:
    """The example of https://docs.svix.com/receiving/verifying-payloads/how-manual"""
    raw = b'{"test": 2432232314}'
    right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    assert resend_events.signature(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", raw) == right


def test_of_several_signatures_one_is_enough() -> None:
    right = headers(b"{}")

    assert believed(right)
    assert believed({**right, "svix-signature": f"v1,AAAA {right['svix-signature']} v1a,x"})


@pytest.mark.parametrize(
    "found",
    [
        {},
        headers(b"{} "),
        headers(b"{}", key=b"another"),
        {**headers(b"{}"), "svix-id": "msg_2"},
        {**headers(b"{}"), "svix-timestamp": "x"},
        {**headers(b"{}"), "svix-timestamp": "9" * 400},
        {**headers(b"{}"), "svix-signature": "v1,ü"},
        headers(b"{}", sent_at=NOW - timedelta(minutes=5, seconds=1)),
        headers(b"{}", sent_at=NOW + timedelta(minutes=5, seconds=1)),
    ],
)
def test_what_resend_did_not_sign_just_now_is_not_believed(found: dict[str, str]) -> None:
    assert not believed(found)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%", "ü"])
def test_a_secret_that_is_none_is_told(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"resend\.webhook_secret must be"):
        resend_events.signing_key(secret)
