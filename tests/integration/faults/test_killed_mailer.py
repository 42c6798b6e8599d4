"""notify_service killed at any point: at most one mail, and for an unknown outcome one dead letter that says so."""

from pathlib import Path

import pytest

from fanout.contracts.user_registration import UserRegistered
from fanout.event import Event
from fanout.identity import new_id
from local_engine import mailbox
from tests.integration.application import Application
from tests.integration.faults.crash_injection import struck, wait_for_strike

NOTIFY = "user_registration/notify_service"


def registration() -> Event[UserRegistered]:
    user = new_id()
    data = UserRegistered(
        user_id=user, email=f"ada+{user}@example.com", name="Ada", plan="free", locale="en", marketing_consent=False
    )
    return Event.new(data, source="urn:test")


def mails(application: Application, event: Event[UserRegistered]) -> int:
    """How many mails to the user are in the outbox."""
    return sum(mail.to == (event.data.email,) for mail in mailbox.sent(application.endpoint))


@pytest.mark.parametrize(
    ("at", "outcome"),
    [("before PutItem", "processed"), ("after UpdateItem", "duplicate"), ("before acknowledgement", "processed")],
)
def test_a_known_outcome_means_one_mail(at: str, outcome: str, application: Application, tmp_path: Path) -> None:
    event = registration()
    with struck(application, NOTIFY, at, tmp_path):
        application.publish("UserRegistration", [event])
        wait_for_strike(tmp_path)
        assert application.outcomes(event.id)[NOTIFY] == outcome
        assert mails(application, event) == 1


@pytest.mark.parametrize(("at", "sent"), [("before SendEmail", 0), ("after SendEmail", 1)])
def test_an_unknown_outcome_means_a_dead_letter_and_no_second_mail(
    at: str, sent: int, application: Application, tmp_path: Path
) -> None:
    event = registration()
    # An attempt has the time its function has; only when that is over may another one judge it.
    with struck(application, NOTIFY, at, tmp_path, timeout=6):
        application.publish("UserRegistration", [event])
        wait_for_strike(tmp_path)
        assert application.outcomes(event.id, within=90)[NOTIFY] == "rejected"
        assert mails(application, event) == sent
        dead_letters = [
            dead_letter for dead_letter in application.dead_letters(NOTIFY) if dead_letter.get("event_id") == event.id
        ]
        assert [dead_letter["reason"].partition(":")[0] for dead_letter in dead_letters] == ["outcome-unknown"]
