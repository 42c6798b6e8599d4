"""Effects happen once: for duplicates, for concurrent deliveries, and after a crash."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from fanout import aws, idempotency
from fanout.contracts.team_events import TeamMessagePosted
from fanout.deadline import Deadline, DeadlineReached
from fanout.dynamodb import ConditionFailedError, to_item, transact
from fanout.event import Event
from fanout.idempotency import at_most_once, put_once, transact_batch_once, transact_once
from fanout.outcomes import Outcome, Reject, Retry
from fanout.testing import LambdaContext

EVENT = Event.new(TeamMessagePosted(text="hi", author="Ada"), source="urn:test", id="1")
OTHER = Event.new(TeamMessagePosted(text="hi", author="Ada"), source="urn:test", id="2")
Items = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def table(make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "team_events/team_a")
    return make_table("effects")


def add_one(table: str, condition: str = "attribute_not_exists(closed)") -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": to_item({"pk": "counter", "sk": "-"}),
            "UpdateExpression": "ADD hits :one",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": to_item({":one": 1}),
        }
    }


def hits(items: Items) -> int:
    return sum(int(item.get("hits", 0)) for item in items("effects"))


@pytest.mark.guarantee("exactly-once-effect/natural-key")
def test_an_item_is_put_once_and_left_unchanged(table: str, items: Items) -> None:
    first = put_once(table, {"pk": "a", "sk": EVENT.identity, "text": "first"})
    second = put_once(table, {"pk": "a", "sk": EVENT.identity, "text": "second"})
    assert (first, second) == (Outcome.PROCESSED, Outcome.DUPLICATE)
    assert [item["text"] for item in items(table)] == ["first"]


@pytest.mark.guarantee(
    "exactly-once-effect/one-transaction",
    "exactly-once-effect/record-refuses",
    "isolation/records-per-subscriber",
)
def test_a_transaction_happens_once_per_event_and_subscriber(
    table: str, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [transact_once(event, table, [add_one(table)]) for event in (EVENT, EVENT, OTHER)]
    assert results == [Outcome.PROCESSED, Outcome.DUPLICATE, Outcome.PROCESSED]
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "team_events/team_b")
    assert transact_once(EVENT, table, [add_one(table)]) is Outcome.PROCESSED
    assert hits(items) == 3


@pytest.mark.guarantee("exactly-once-effect/one-transaction")
def test_a_batch_is_one_transaction_in_which_each_event_counts_once(table: str, items: Items) -> None:
    third = Event.new(TeamMessagePosted(text="hi", author="Ada"), source="urn:test", id="3")

    def add(events: list[Event[TeamMessagePosted]]) -> list[dict[str, Any]]:
        return [
            {
                "Update": {
                    "TableName": table,
                    "Key": to_item({"pk": "counter", "sk": "-"}),
                    "UpdateExpression": "ADD hits :number",
                    "ExpressionAttributeValues": to_item({":number": len(events)}),
                }
            }
        ]

    assert transact_batch_once([OTHER], table, add) == [Outcome.PROCESSED]
    assert transact_batch_once([EVENT, OTHER, third], table, add) == [
        Outcome.PROCESSED,
        Outcome.DUPLICATE,
        Outcome.PROCESSED,
    ]
    assert transact_batch_once([EVENT, OTHER, third], table, add) == [Outcome.DUPLICATE] * 3
    assert hits(items) == 3


def test_a_batch_whose_effect_is_refused_writes_nothing_and_names_the_action(table: str, items: Items) -> None:
    with pytest.raises(ConditionFailedError) as refused:
        transact_batch_once([EVENT, OTHER], table, lambda _: [add_one(table, "attribute_exists(opened)")])
    assert refused.value.failed == [0]
    assert items(table) == []


def test_a_transaction_without_a_record_writes_all_or_names_the_refused_action(table: str, items: Items) -> None:
    transact([add_one(table)])
    refused = add_one(table, "attribute_exists(opened)")
    refused["Update"]["Key"] = to_item({"pk": "another", "sk": "-"})
    with pytest.raises(ConditionFailedError) as raised:
        transact([add_one(table), refused])
    assert (raised.value.failed, hits(items)) == ([1], 1)


def test_a_condition_of_the_effect_that_fails_leaves_neither_effect_nor_record(table: str, items: Items) -> None:
    with pytest.raises(ConditionFailedError) as raised:
        transact_once(EVENT, table, [add_one(table, "attribute_exists(opened)")])
    assert raised.value.failed == [0]
    assert items(table) == []


@pytest.mark.guarantee("exactly-once-effect/record-lifetime")
def test_idempotency_records_outlive_the_archive(table: str, items: Items) -> None:
    transact_once(EVENT, table, [add_one(table)])
    [record] = [item for item in items(table) if "expires_at" in item]
    assert int(record["expires_at"]) > time.time() + 365 * 86_400


class Mailer:
    """Sends, or fails in a given way."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.sent = 0

    def __call__(self) -> dict[str, str]:
        if isinstance(self.failure, Retry | Reject):
            raise self.failure
        self.sent += 1
        if self.failure:
            raise self.failure
        return {"message_id": "m1"}


def once(table: str, mailer: Mailer, lease_seconds: float = 60) -> Outcome:
    return at_most_once(EVENT, table, mailer, lease_seconds=lease_seconds)


@pytest.mark.guarantee("at-most-once/intent-once")
def test_a_mail_is_sent_once(table: str, items: Items) -> None:
    mailer = Mailer()
    assert [once(table, mailer), once(table, mailer)] == [Outcome.PROCESSED, Outcome.DUPLICATE]
    assert mailer.sent == 1
    assert [(item["state"], item["details"]) for item in items(table)] == [("done", {"message_id": "m1"})]


def test_what_was_certainly_not_sent_is_retried(table: str) -> None:
    mailer = Mailer(Retry("throttled"))
    with pytest.raises(Retry, match="throttled"):
        once(table, mailer)
    mailer.failure = None
    assert once(table, mailer) is Outcome.PROCESSED
    assert mailer.sent == 1


@pytest.mark.guarantee("at-most-once/lost-response")
@pytest.mark.parametrize(
    "failure",
    [ReadTimeoutError(endpoint_url="x"), ClientError({"Error": {"Code": "InternalFailure"}}, "SendEmail"), OSError()],
)
def test_what_may_have_been_sent_is_never_sent_again(table: str, failure: Exception) -> None:
    mailer = Mailer(failure)
    with pytest.raises(Reject, match="outcome-unknown"):
        once(table, mailer)
    mailer.failure = None
    with pytest.raises((Reject, Retry)):
        once(table, mailer)
    assert mailer.sent == 1


@pytest.mark.guarantee("at-most-once/concurrent-delivery")
def test_a_second_delivery_waits_for_the_first(table: str) -> None:
    def send() -> dict[str, str]:
        with pytest.raises(Retry, match="under way") as raised:
            once(table, Mailer())
        assert raised.value.after is not None
        assert 0 < raised.value.after <= 62
        return {}

    assert at_most_once(EVENT, table, send, lease_seconds=60) is Outcome.PROCESSED


@pytest.mark.guarantee("at-most-once/killed-attempt")
@pytest.mark.parametrize("killed", [DeadlineReached(), SystemExit()])
def test_an_attempt_that_was_killed_leaves_the_outcome_unknown(
    table: str, killed: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = Mailer(killed)
    with pytest.raises(type(killed)):
        once(table, mailer)
    now = time.time()
    monkeypatch.setattr(idempotency.time, "time", lambda: now + 61)
    with pytest.raises(Reject, match="outcome-unknown"):
        once(table, Mailer())
    assert mailer.sent == 1


def test_an_effect_with_a_key_happens_once_for_all_its_events_and_its_record_never_expires(
    table: str, items: Items
) -> None:
    mailer = Mailer()
    results = [at_most_once(event, table, mailer, lease_seconds=60, key="registration#7") for event in (EVENT, OTHER)]
    assert results == [Outcome.PROCESSED, Outcome.DUPLICATE]
    assert mailer.sent == 1
    [record] = items(table)
    assert (record["pk"], record["event"]) == ("once#registration#7", EVENT.identity)
    assert "expires_at" not in record


def test_an_intent_whose_response_was_lost_is_recognised_as_our_own(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore repeats a call without a response: the second put finds the item of the first."""
    client = aws.client("dynamodb")
    put_item = client.put_item

    def repeated(**parameters: Any) -> Any:
        put_item(**parameters)
        return put_item(**parameters)

    monkeypatch.setattr(client, "put_item", repeated)
    assert once(table, Mailer()) is Outcome.PROCESSED


@pytest.mark.parametrize(
    ("mailer", "state"), [(Mailer(), "done"), (Mailer(Retry("throttled")), "released")], ids=["sent", "not sent"]
)
def test_the_end_of_an_attempt_is_recorded_despite_throttling(
    mailer: Mailer, state: str, table: str, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outcome that is not recorded would be `outcome-unknown`."""
    client = aws.client("dynamodb")
    update, failures = client.update_item, [ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")] * 3

    def throttled(**parameters: Any) -> Any:
        if failures:
            raise failures.pop()
        return update(**parameters)

    monkeypatch.setattr(client, "update_item", throttled)
    monkeypatch.setattr(idempotency.time, "sleep", lambda _: None)
    with contextlib.suppress(Retry):
        once(table, mailer)
    assert [item["state"] for item in items(table)] == [state]


def test_a_release_whose_response_was_lost_does_not_undo_a_later_attempt(
    table: str, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try releases the record, another delivery sends and records it, and then the first is tried again."""
    client = aws.client("dynamodb")
    update = client.update_item
    second = Mailer()

    def answer_lost(**parameters: Any) -> Any:
        monkeypatch.setattr(client, "update_item", update)
        update(**parameters)
        assert once(table, second) is Outcome.PROCESSED
        raise ConnectionClosedError(endpoint_url="x")

    monkeypatch.setattr(client, "update_item", answer_lost)
    monkeypatch.setattr(idempotency.time, "sleep", lambda _: None)
    with pytest.raises(Retry, match="throttled"):
        once(table, Mailer(Retry("throttled")))
    assert [item["state"] for item in items(table)] == ["done"]
    assert once(table, Mailer()) is Outcome.DUPLICATE


def test_an_end_that_cannot_be_recorded_raises_dynamodbs_error(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")

    monkeypatch.setattr(aws.client("dynamodb"), "update_item", down)
    monkeypatch.setattr(idempotency.time, "sleep", lambda _: None)
    mailer = Mailer()
    with pytest.raises(ClientError, match="InternalServerError"):
        once(table, mailer)
    with pytest.raises(Retry, match="under way"):
        once(table, mailer)
    assert mailer.sent == 1


def conflict(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    return ClientError(
        {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},  # type: ignore[typeddict-unknown-key]
        "TransactWriteItems",
    )


def test_a_conflicting_transaction_is_retried(table: str, items: Items, monkeypatch: pytest.MonkeyPatch) -> None:
    client = aws.client("dynamodb")
    write, failures = client.transact_write_items, [conflict("None", "TransactionConflict")] * 2

    def busy(**parameters: Any) -> Any:
        if failures:
            raise failures.pop()
        return write(**parameters)

    monkeypatch.setattr(client, "transact_write_items", busy)
    assert transact_once(EVENT, table, [add_one(table)]) is Outcome.PROCESSED
    assert (failures, hits(items)) == ([], 1)


def test_a_transaction_that_always_conflicts_is_left_to_the_queue(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def busy(**parameters: Any) -> Any:
        calls.append(parameters)
        raise conflict("None", "TransactionConflict")

    monkeypatch.setattr(aws.client("dynamodb"), "transact_write_items", busy)
    with pytest.raises(ClientError):
        transact_once(EVENT, table, [add_one(table)])
    assert len(calls) == 5


def test_a_failure_before_the_effect_allows_a_retry(table: str) -> None:
    mailer, failures = Mailer(), [OSError("no connection")]

    def prepare() -> None:
        if failures:
            raise failures.pop()

    def attempt() -> Outcome:
        return at_most_once(EVENT, table, mailer, lease_seconds=60, prepare=prepare)

    with pytest.raises(OSError, match="no connection"):
        attempt()
    assert mailer.sent == 0
    assert [attempt(), attempt()] == [Outcome.PROCESSED, Outcome.DUPLICATE]
    assert mailer.sent == 1


def test_the_lease_lasts_for_the_rest_of_the_invocation(table: str, items: Items) -> None:
    with Deadline(LambdaContext(timeout=20)).enforced():
        at_most_once(EVENT, table, Mailer())
    [record] = items(table)
    assert time.time() + 15 < record["lease_until"] <= time.time() + 21


def test_outside_of_a_handler_the_lease_must_be_given(table: str) -> None:
    mailer = Mailer()
    with pytest.raises(TypeError, match="needs lease_seconds"):
        at_most_once(EVENT, table, mailer)
    assert mailer.sent == 0
