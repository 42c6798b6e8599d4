"""user_registration on the engine: one mail, one count, and no more mail to an address that bounced."""

import uuid
from collections import Counter
from pathlib import Path

from fanout.contracts.user_registration import UserRegistered
from fanout.event import Event
from local_engine import mailbox
from tests.integration.application import ROOT, Application
from tests.integration.faults.crash_injection import struck, wait_for_strike
from tests.waiting import until

NOTIFY, ANALYTICS, FEEDBACK = (
    f"user_registration/{name}" for name in ("notify_service", "analytics_service", "mail_feedback")
)


def registration(email: str | None = None, **fields: object) -> Event[UserRegistered]:
    user_id = f"usr_{uuid.uuid4().hex}"
    data = UserRegistered(user_id=user_id, email=email or f"{user_id}@example.org", name="Ada", **fields)  # type: ignore[arg-type]
    return Event.new(data, source="urn:test")


def again(event: Event[UserRegistered]) -> Event[UserRegistered]:
    """Another event about the same registration."""
    return Event.new(event.data, source="urn:test")


def mails(application: Application, event: Event[UserRegistered]) -> int:
    """How many mails went to the address."""
    return sum(mail.to == (event.data.email,) for mail in mailbox.sent(application.endpoint))


def counted(application: Application, plan: str) -> int:
    """How many registrations of a plan are counted, over all days."""
    table = application.subscriber(ANALYTICS).environment["ANALYTICS_TABLE"]
    return sum(int(item.get(f"plan:{plan}", 0)) for item in application.items(table))


def test_a_registration_delivered_five_times_and_published_twice_gets_one_mail_and_counts_once(
    application: Application,
) -> None:
    plan = f"p{uuid.uuid4().hex[:12]}"
    event = registration(plan=plan)
    second = again(event)
    application.publish("UserRegistration", [event] * 5)
    assert application.outcomes(event.id) == {NOTIFY: "processed", ANALYTICS: "processed"}
    application.publish("UserRegistration", [second])
    assert application.outcomes(second.id) == {NOTIFY: "duplicate", ANALYTICS: "duplicate"}
    until(
        lambda: all(len(application.receipts(name, [event.id])) >= 5 for name in (NOTIFY, ANALYTICS)),
        "five receipts of each subscriber",
        seconds=90,
    )
    assert (mails(application, event), counted(application, plan)) == (1, 1)


def test_a_hundred_registrations_at_once_are_all_counted_and_welcomed(application: Application) -> None:
    plan = f"p{uuid.uuid4().hex[:12]}"
    events = [registration(plan=plan) for _ in range(100)]
    application.publish("UserRegistration", events)
    ids = [event.id for event in events]
    for name in (NOTIFY, ANALYTICS):
        until(
            lambda name=name: Counter(each.outcome for each in application.receipts(name, ids))["processed"] == 100,
            f"a hundred receipts of {name}",
            seconds=90,
        )
    assert counted(application, plan) == 100
    recipients = Counter(mail.to for mail in mailbox.sent(application.endpoint))
    assert {recipients[(event.data.email,)] for event in events} == {1}


def test_an_address_that_bounces_gets_no_second_mail(application: Application) -> None:
    first = registration(f"bounce+{uuid.uuid4().hex}@simulator.amazonses.com")
    application.publish("UserRegistration", [first])
    assert application.outcomes(first.id)[NOTIFY] == "processed"
    table = application.subscriber(FEEDBACK).environment["MAIL_TABLE"]
    before = registration(first.data.email)

    def suppressed() -> bool:
        marks = [item for item in application.items(table) if item.get("causes") == {"permanent_bounce"}]
        return bool(marks)

    until(suppressed, "the bounce reaches mail_feedback", seconds=90)
    application.publish("UserRegistration", [before])
    assert application.outcomes(before.id) == {NOTIFY: "discarded", ANALYTICS: "processed"}
    assert mails(application, first) == 1
    assert first.data.email not in str(application.items(table)), "addresses are stored as hashes"


def test_a_malformed_address_is_dead_lettered_by_one_subscriber(application: Application) -> None:
    event = registration("nobody")
    application.publish("UserRegistration", [event])
    assert application.outcomes(event.id) == {NOTIFY: "rejected", ANALYTICS: "processed"}
    [dead_letter] = [each for each in application.dead_letters(NOTIFY) if each.get("event_id") == event.id]
    assert dead_letter["reason"] == "malformed-address: it has no @"


def test_feedback_in_the_format_of_ses_is_accepted_from_any_client(application: Application) -> None:
    sample = (ROOT / "events/user_registration/foreign/MailFeedback/ses-notification-permanent-bounce.json").read_text()
    feedback_id = f"{uuid.uuid4()}-000000"
    known = "0100019c1b2f7c5e-dddddddd-1d2c-4a55-8e0f-2f6b9c3d7a10-000000"
    assert known in sample
    message_id = application.publish_text("MailFeedback", sample.replace(known, feedback_id))
    assert application.outcomes(message_id) == {FEEDBACK: "processed"}
    assert application.outcomes(feedback_id) == {FEEDBACK: "processed"}


def test_a_function_killed_while_it_counts_counts_once(application: Application, tmp_path: Path) -> None:
    plan = f"p{uuid.uuid4().hex[:12]}"
    event = registration(plan=plan)
    with struck(application, ANALYTICS, "after TransactWriteItems", tmp_path):
        application.publish("UserRegistration", [event])
        wait_for_strike(tmp_path)
        assert application.outcomes(event.id, within=60)[ANALYTICS] == "duplicate"
    assert counted(application, plan) == 1
