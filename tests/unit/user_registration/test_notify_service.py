"""notify_service: one welcome mail per registration, ever, under every fault."""

import json
import os
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from fanout import idempotency
from fanout.deadline import DeadlineReached
from fanout.dynamodb import to_item
from fanout.event import Event, encode
from fanout.integrations import mail
from fanout.testing import LambdaContext, lambda_event, sns_record, sqs_record
from user_registration.handlers import notify_service

from ..conftest import Deployed, Queues
from .conftest import SENDER, Ses, deliver, registration

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]
TIMEOUT = 30  # LambdaContext's
THROTTLED = ("TooManyRequestsException", 429)


@pytest.fixture
def notify(deployed: Deployed) -> ModuleType:
    return deployed(notify_service)


def refusal(code: str, status: int = 400, message: str = "ada@example.org said no") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SendEmail",
    )


def outcomes(lines: Lines) -> list[str]:
    return [receipt["outcome"] for receipt in lines("receipt")]


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time()
    monkeypatch.setattr(idempotency.time, "time", lambda: now + seconds)


def test_a_registration_gets_a_mail_in_text_and_html_and_a_record_of_it(
    notify: ModuleType, ses: Ses, items: Items, lines: Lines
) -> None:
    event = registration("u-1", "Ada@Example.org", locale="de-CH", plan="pro")
    deliver(notify, sns_record(event))
    assert ses.outbox == ["Ada@example.org"]
    [request] = ses.requests
    assert (request["FromEmailAddress"], request["ConfigurationSetName"]) == (SENDER, "welcome")
    content = request["Content"]["Simple"]
    assert content["Subject"]["Data"] == "Willkommen bei Fanout"
    assert content["Body"]["Text"]["Data"].startswith("Guten Tag Ada,\n")
    assert "<p>Guten Tag Ada,</p>" in content["Body"]["Html"]["Data"]
    [record] = items("mail")
    assert (record["pk"], record["sk"]) == ("once#registration#u-1", "user_registration/notify_service")
    assert (record["state"], record["event"], record["details"]["locale"]) == ("done", event.identity, "de")
    assert record["details"]["message_id"]
    assert "expires_at" not in record, "a registration's mail is remembered forever"
    assert outcomes(lines) == ["processed"]


@pytest.mark.guarantee("at-most-once/intent-once")
def test_one_mail_is_sent_however_often_and_on_whichever_path_an_event_arrives(
    notify: ModuleType, ses: Ses, lines: Lines
) -> None:
    event = registration()
    deliver(notify, sns_record(event))
    deliver(notify, sns_record(event))
    deliver(notify, sqs_record(event), sqs_record(event, receive_count=3))
    assert ses.outbox == ["ada@example.org"]
    assert outcomes(lines) == ["processed", "duplicate", "duplicate", "duplicate"]


@pytest.mark.guarantee("at-most-once/one-mail-per-registration")
def test_a_second_event_about_the_same_registration_sends_no_second_mail(
    notify: ModuleType, ses: Ses, lines: Lines
) -> None:
    deliver(notify, sns_record(registration("u-1")))
    deliver(notify, sns_record(registration("u-1", "other@example.org")))
    deliver(notify, sns_record(registration("u-2")))
    assert ses.outbox == ["ada@example.org", "ada@example.org"]
    assert outcomes(lines) == ["processed", "duplicate", "processed"]


@pytest.mark.guarantee("at-most-once/killed-attempt")
@pytest.mark.parametrize("sending", [False, True], ids=["before the mail is sent", "after the mail is sent"])
def test_a_function_killed_at_work_leaves_one_dead_letter_and_at_most_one_mail(
    notify: ModuleType, ses: Ses, account: Queues, monkeypatch: pytest.MonkeyPatch, sending: bool
) -> None:
    event = registration()
    ses.failing(SystemExit(), sending=sending)
    with pytest.raises(SystemExit):
        deliver(notify, sns_record(event))
    ses.works_again()
    later(monkeypatch, TIMEOUT + 2)
    deliver(notify, sns_record(event))
    assert len(ses.outbox) == int(sending)
    [dead_letter] = account.dead()
    assert dead_letter["outcome"] == "rejected"
    assert dead_letter["reason"].startswith("outcome-unknown")
    assert json.loads(json.loads(dead_letter["body"])["Message"])["id"] == event.id


def test_lambdas_own_retry_waits_until_the_killed_attempt_is_certainly_over(
    notify: ModuleType, ses: Ses, account: Queues, lines: Lines
) -> None:
    event = registration()
    ses.failing(SystemExit(), sending=True)
    with pytest.raises(SystemExit):
        deliver(notify, sns_record(event))
    ses.works_again()
    deliver(notify, sns_record(event))
    assert outcomes(lines) == ["retrying"]
    assert account.inbox_counts() == (0, 1)
    assert len(ses.outbox) == 1


def test_a_function_killed_after_recording_the_mail_sends_no_second_one(
    notify: ModuleType, ses: Ses, account: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = registration()
    finish = idempotency._OnceRecord.save

    def killed_after(self: Any, *arguments: Any) -> None:
        finish(self, *arguments)
        raise SystemExit

    monkeypatch.setattr(idempotency._OnceRecord, "save", killed_after)
    with pytest.raises(SystemExit):
        deliver(notify, sns_record(event))
    monkeypatch.setattr(idempotency._OnceRecord, "save", finish)
    deliver(notify, sns_record(event))
    assert ses.outbox == ["ada@example.org"]
    assert (outcomes(lines), account.dead()) == (["duplicate"], [])


def test_an_operator_who_found_that_no_mail_was_sent_can_send_it(
    notify: ModuleType, ses: Ses, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = registration()
    ses.failing(SystemExit(), sending=False)
    with pytest.raises(SystemExit):
        deliver(notify, sns_record(event))
    ses.works_again()
    [record] = items("mail")
    key = to_item({"pk": record["pk"], "sk": record["sk"]})
    idempotency.aws.client("dynamodb").delete_item(TableName="mail", Key=key)
    deliver(notify, sqs_record(event))
    assert ses.outbox == ["ada@example.org"]


@pytest.mark.guarantee("at-most-once/lost-response", "at-most-once/no-sdk-retries")
@pytest.mark.parametrize(
    "error", [refusal("InternalServerError", 500), ReadTimeoutError(endpoint_url="x"), OSError("connection reset")]
)
def test_an_error_with_an_unknown_outcome_is_dead_lettered_for_an_operator(
    notify: ModuleType, ses: Ses, account: Queues, error: Exception
) -> None:
    event = registration()
    ses.failing(error, sending=True)
    deliver(notify, sns_record(event))
    assert [dead_letter["reason"].split(":")[0] for dead_letter in account.dead()] == ["outcome-unknown"]
    assert len(ses.outbox) == 1


def test_while_the_suppression_list_cannot_be_read_the_mail_waits(
    notify: ModuleType, ses: Ses, account: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = registration()
    arn = os.environ["EMAIL_HASH_KEY_SECRET_ARN"]
    idempotency.aws.client("secretsmanager").delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    deliver(notify, sns_record(event))
    assert outcomes(lines) == ["retrying"]
    assert (ses.requests, account.inbox_counts()) == ([], (0, 1))
    idempotency.aws.client("secretsmanager").restore_secret(SecretId=arn)
    deliver(notify, sqs_record(event))
    assert ses.outbox == ["ada@example.org"]
    assert outcomes(lines) == ["processed"]


@pytest.mark.parametrize(
    "error",
    [
        refusal(*THROTTLED, message="Maximum sending rate exceeded."),
        refusal("ThrottlingException"),
        refusal("AccessDeniedException", 403),
        refusal("NotFoundException", 404),
        refusal("MailFromDomainNotVerifiedException"),
        ConnectTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_a_mail_that_ses_did_not_accept_is_sent_later(
    notify: ModuleType, ses: Ses, account: Queues, lines: Lines, error: Exception
) -> None:
    event = registration()
    ses.failing(error, sending=False)
    deliver(notify, sns_record(event))
    [receipt] = lines("receipt")
    assert receipt["outcome"] == "retrying"
    assert "ada@" not in receipt["reason"]
    assert account.inbox_counts() == (0, 1)
    ses.works_again()
    deliver(notify, sqs_record(event))
    assert ses.outbox == ["ada@example.org"]
    assert outcomes(lines) == ["processed"]


@pytest.mark.parametrize(
    "error",
    [
        refusal("SendingPausedException"),
        refusal("AccountSuspendedException"),
        refusal("LimitExceededException"),
        refusal(*THROTTLED, message="Daily message quota exceeded."),
    ],
)
def test_while_the_account_may_not_send_ten_attempts_outlast_a_day(
    notify: ModuleType, ses: Ses, account: Queues, lines: Lines, error: Exception
) -> None:
    ses.failing(error, sending=False)
    deliver(notify, sns_record(registration()))
    assert [receipt["reason"].split(":")[0] for receipt in lines("receipt")] == ["paused"]
    assert account.inbox_counts() == (0, 1)
    assert 9 * mail._LONG_WAIT >= 24 * 3600


@pytest.mark.guarantee("personal-data/mail-refusal")
@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException"])
def test_a_mail_that_ses_refuses_is_rejected_and_the_reason_holds_no_address(
    notify: ModuleType, ses: Ses, account: Queues, code: str
) -> None:
    ses.failing(refusal(code, message="Email address is not verified: ada@example.org"), sending=False)
    deliver(notify, sns_record(registration()))
    [dead_letter] = account.dead()
    assert dead_letter["reason"] == f"refused: SES answers {code} (sender or recipient is not verified in SES)"


def test_a_refused_mail_is_sent_once_its_dead_letter_is_redriven(
    notify: ModuleType, ses: Ses, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = registration()
    ses.failing(refusal("MessageRejected"), sending=False)
    deliver(notify, sns_record(event))
    ses.works_again()
    deliver(notify, sqs_record(event))
    assert ses.outbox == ["ada@example.org"]


@pytest.mark.parametrize(
    "email", ["ada", "ada@example", "ada@example.org\r\nBcc: eve@example.org", "a@b.example,c@d.example"]
)
def test_a_malformed_address_is_rejected_before_anything_is_recorded(
    notify: ModuleType, ses: Ses, account: Queues, items: Items, email: str
) -> None:
    deliver(notify, sns_record(registration(email=email)))
    [dead_letter] = account.dead()
    assert dead_letter["reason"].startswith("malformed-address: ")
    assert email not in dead_letter["reason"]
    assert (ses.requests, items("mail")) == ([], [])


def test_a_name_injects_neither_html_nor_headers(notify: ModuleType, ses: Ses) -> None:
    deliver(notify, sns_record(registration(name="<b>Ada</b>\r\nBcc: eve")))
    [request] = ses.requests
    content = request["Content"]["Simple"]
    assert content["Subject"]["Data"] == "Welcome to Fanout"
    assert content["Body"]["Text"]["Data"].splitlines()[0] == "Hello,", "</b> looks like a path"
    assert "<b>" not in content["Body"]["Html"]["Data"]
    assert request["Destination"] == {"ToAddresses": ["ada@example.org"]}


def test_unicode_reaches_the_mail_unharmed(notify: ModuleType, ses: Ses) -> None:
    deliver(notify, sns_record(registration(name="Zoë 山田 👩‍🚀", email="info@münchen.example", locale="ja")))
    [request] = ses.requests
    assert request["Destination"] == {"ToAddresses": ["info@xn--mnchen-3ya.example"]}
    assert request["Content"]["Simple"]["Body"]["Text"]["Data"].startswith("Zoë 山田 👩‍🚀 様\n")


@pytest.mark.guarantee("personal-data/receipt-fields")
def test_no_log_line_holds_what_is_personal(notify: ModuleType, ses: Ses, capsys: pytest.CaptureFixture[str]) -> None:
    event = registration("u-secret", "ada@example.org", name="Lovelace")
    ses.failing(refusal("MessageRejected"), sending=False)
    deliver(notify, sns_record(event))
    ses.failing(refusal("InternalServerError", 500), sending=False)
    deliver(notify, sns_record(event))
    written = capsys.readouterr()
    assert event.id in written.out
    for secret in ("ada@example.org", "Lovelace", "u-secret"):
        assert secret not in written.out + written.err


def test_the_deadline_interrupts_the_mail_and_it_is_not_sent_twice(
    notify: ModuleType, ses: Ses, lines: Lines, account: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    ses.failing(DeadlineReached(), sending=True)
    event: Event[Any] = registration()
    deliver(notify, sns_record(event))
    assert outcomes(lines) == ["retrying"]
    ses.works_again()
    later(monkeypatch, TIMEOUT + 2)
    deliver(notify, sqs_record(event))
    assert (len(ses.outbox), outcomes(lines)) == (1, ["rejected"])


def test_only_the_invalid_events_of_a_batch_are_rejected(
    notify: ModuleType, ses: Ses, account: Queues, lines: Lines
) -> None:
    batch = [registration(f"u-{number}", f"u{number}@example.org" if number % 2 else "none") for number in range(6)]
    answer = notify.handler(lambda_event([sqs_record(event) for event in batch]), LambdaContext())
    assert answer == {"batchItemFailures": []}
    assert ses.outbox == ["u1@example.org", "u3@example.org", "u5@example.org"]
    assert sorted(outcomes(lines)) == ["processed"] * 3 + ["rejected"] * 3
    assert {dead_letter["body"] for dead_letter in account.dead()} == {encode(event).decode() for event in batch[::2]}
