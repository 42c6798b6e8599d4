"""mail_feedback: bounces and complaints, as Amazon SES really writes them, stop further mail."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from fanout.contracts.user_registration import MailFeedback
from fanout.event import Event
from fanout.testing import REGION, envelope_record, sns_record, sqs_record
from user_registration.handlers import mail_feedback, notify_service

from ..conftest import Deployed, Queues
from .conftest import Ses, deliver, registration

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]
FORMS = ["eventType", "notificationType"]

MAIL = {
    "timestamp": "2026-11-20T10:00:00.000Z",
    "messageId": "0100018b-example",
    "source": "welcome@example.com",
    "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
    "sendingAccountId": "123456789012",
    "destination": ["ada@example.org"],
    "headersTruncated": False,
    "headers": [{"name": "Subject", "value": "Welcome"}],
    "commonHeaders": {"from": ["welcome@example.com"], "to": ["ada@example.org"], "subject": "Welcome"},
    "tags": {"ses:configuration-set": ["welcome"]},
}


def bounce(form: str = "eventType", kind: str = "Permanent", *addresses: str, feedback_id: str = "f-1") -> str:
    recipients = [
        {"emailAddress": address, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 user unknown"}
        for address in addresses or ("ada@example.org",)
    ]
    body = {
        "feedbackId": feedback_id,
        "bounceType": kind,
        "bounceSubType": "General",
        "bouncedRecipients": recipients,
        "timestamp": "2026-11-20T10:00:02.012Z",
        "reportingMTA": "dsn; mta.example.com",
    }
    return json.dumps({form: "Bounce", "bounce": body, "mail": MAIL})


def complaint(form: str = "eventType", feedback: str | None = "abuse", feedback_id: str = "f-2") -> str:
    body = {
        "feedbackId": feedback_id,
        "complainedRecipients": [{"emailAddress": "ada@example.org"}],
        "timestamp": "2026-11-20T11:00:00.000Z",
        "complaintSubType": None,
        "userAgent": "ExampleCorp Feedback Loop",
        "arrivalDate": "2026-11-20T10:30:00.000Z",
    } | ({"complaintFeedbackType": feedback} if feedback else {})
    return json.dumps({form: "Complaint", "complaint": body, "mail": MAIL})


@pytest.fixture
def feedback(deployed: Deployed) -> ModuleType:
    return deployed(mail_feedback)


def outcomes(lines: Lines) -> list[tuple[str, str | None]]:
    return [(receipt["outcome"], receipt["reason"]) for receipt in lines("receipt")]


def suppressed(items: Items) -> list[dict[str, Any]]:
    return [item for item in items("mail") if item["sk"] == "suppressed"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [bounce, complaint])
def test_a_permanent_bounce_or_complaint_suppresses_the_address_by_its_hash_alone(
    feedback: ModuleType, items: Items, lines: Lines, text: Callable[[str], str], form: str
) -> None:
    deliver(feedback, envelope_record(text(form)))
    [item] = suppressed(items)
    assert item["causes"] == {"permanent_bounce" if text is bounce else "complaint"}
    assert item["since"].startswith("2026-11-20T1")
    assert "ada" not in str(items("mail"))
    [receipt] = lines("receipt")
    assert (receipt["outcome"], receipt["type"], receipt["source"]) == ("processed", "mail.feedback.v1", "urn:aws:ses")
    assert receipt["event_id"] in {"f-1", "f-2"}


def test_a_bounce_then_a_registration_sends_no_mail(
    feedback: ModuleType, deployed: Deployed, ses: Ses, lines: Lines
) -> None:
    deliver(feedback, envelope_record(bounce("eventType", "Permanent", "INFO@xn--mnchen-3ya.example")))
    lines("receipt")
    notify = deployed(notify_service)
    deliver(notify, sns_record(registration(email="info@münchen.example")))
    deliver(notify, sns_record(registration("u-2", "ada@example.org")))
    [first, second] = outcomes(lines)
    assert first == ("discarded", "suppressed: mail to this address has bounced or was complained about")
    assert second == ("processed", None)
    assert ses.outbox == ["ada@example.org"]


def test_a_mail_that_bounced_after_it_was_sent_stays_a_duplicate(
    feedback: ModuleType, deployed: Deployed, ses: Ses, lines: Lines
) -> None:
    notify = deployed(notify_service)
    event = registration()
    deliver(notify, sns_record(event))
    deliver(deployed(mail_feedback), envelope_record(bounce()))
    deliver(deployed(notify_service), sns_record(event))
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "processed", "duplicate"]


def test_redelivered_feedback_does_not_restore_a_lifted_suppression(
    feedback: ModuleType, items: Items, lines: Lines
) -> None:
    deliver(feedback, envelope_record(bounce()), envelope_record(bounce("notificationType")))
    [item] = suppressed(items)
    boto3.resource("dynamodb", region_name=REGION).Table("mail").delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    deliver(feedback, envelope_record(bounce()))
    assert suppressed(items) == []
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "duplicate", "duplicate"]


def test_a_complaint_after_a_bounce_is_kept_with_it(feedback: ModuleType, items: Items) -> None:
    deliver(feedback, envelope_record(complaint()), envelope_record(bounce()))
    [item] = suppressed(items)
    assert item["causes"] == {"permanent_bounce", "complaint"}


def test_one_feedback_may_be_about_many_recipients_in_any_spelling(feedback: ModuleType, items: Items) -> None:
    text = bounce("eventType", "Permanent", "ada@example.org", "ADA@example.org", "Bob <bob@example.org>")
    deliver(feedback, envelope_record(text))
    assert len(suppressed(items)) == 2


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_a_transient_bounce_is_discarded(feedback: ModuleType, items: Items, lines: Lines, kind: str) -> None:
    deliver(feedback, envelope_record(bounce("eventType", kind)))
    assert outcomes(lines) == [("discarded", "transient-bounce: General; the next mail may arrive")]
    assert items("mail") == []


def test_a_not_spam_report_is_not_a_complaint(feedback: ModuleType, items: Items, lines: Lines) -> None:
    deliver(feedback, envelope_record(complaint(feedback="not-spam")))
    assert outcomes(lines) == [("discarded", "not-spam: the reader says that the mail is wanted")]
    assert items("mail") == []


@pytest.mark.parametrize(
    "text",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have subscribed"}),
        json.dumps({"eventType": "Delivery", "mail": MAIL, "delivery": {"processingTimeMillis": 500}}),
        json.dumps({"eventType": "Send", "mail": MAIL, "send": {}}),
    ],
)
def test_other_ses_notifications_are_discarded(feedback: ModuleType, lines: Lines, text: str) -> None:
    deliver(feedback, envelope_record(text))
    [(outcome, reason)] = outcomes(lines)
    assert outcome == "discarded"
    assert str(reason).startswith("not-feedback: ")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"eventType": "Bounce"', "truncated"),
        ('{"eventType": "Bounce", "mail": {}}', "does not say what happened"),
        ('{"notificationType": "Complaint", "bounce": null}', "does not say what happened"),
        ('{"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}}', "feedbackId"),
        (bounce().replace('"ada@example.org", "action"', '7, "action"'), "emailAddress"),
        (complaint().replace('[{"emailAddress": "ada@example.org"}]', "[]"), "names no recipient"),
        ("hello", "invalid-event"),
        ("{}", "specversion"),
        ('{"data": {"eventType": "Bounce"}}', "specversion"),
    ],
)
def test_a_body_that_is_neither_feedback_nor_an_event_is_rejected(
    feedback: ModuleType, account: Queues, text: str, named: str
) -> None:
    deliver(feedback, envelope_record(text))
    [dead_letter] = account.dead()
    assert dead_letter["reason"].startswith("invalid-event: ")
    assert named in dead_letter["reason"]


def test_feedback_as_an_event_has_the_same_effect(feedback: ModuleType, items: Items, lines: Lines) -> None:
    event = Event.new(MailFeedback(kind="complaint", addresses=("ada@example.org",)), source="urn:test:support")
    deliver(feedback, envelope_record(event), sqs_record(event))
    assert [item["causes"] for item in suppressed(items)] == [{"complaint"}]
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "duplicate"]


def test_a_registration_is_discarded(feedback: ModuleType, lines: Lines) -> None:
    deliver(feedback, envelope_record(registration()))
    assert outcomes(lines) == [("discarded", "not-handled: this subscriber does not handle user.registered.v1")]


def test_feedback_about_more_people_than_a_mail_can_have_is_rejected(feedback: ModuleType, lines: Lines) -> None:
    document = json.loads(bounce("eventType"))
    document["bounce"]["bouncedRecipients"] = [{"emailAddress": f"ada{number}@example.org"} for number in range(101)]
    deliver(feedback, envelope_record(json.dumps(document)))
    [(outcome, reason)] = outcomes(lines)
    assert outcome == "rejected"
    assert reason is not None
    assert "length <= 50" in reason


def test_an_unknown_bounce_type_is_replaced_by_a_valid_one(feedback: ModuleType, lines: Lines) -> None:
    deliver(feedback, envelope_record(bounce("eventType", "Transient").replace('"General"', '"not\\n a word"')))
    assert outcomes(lines) == [("discarded", "transient-bounce: not__a_word; the next mail may arrive")]
