"""Events that come again: at once, and after everything that expires has expired."""

import json

import pytest

from tests.adversarial import corpus
from tests.adversarial.test_subscribers import FINAL, SUBJECTS, neighbours
from tests.adversarial.world import TABLE, Subject, World, subjects

TAKEN_FOR_NEW = {
    *("application_logs/monitor", "data_aggregation/mobile", "data_aggregation/store", "data_aggregation/web"),
    *("system_alerts/chat", "system_alerts/pager", "user_interactions/comments", "user_interactions/shares"),
    "user_registration/mail_feedback",
}
"""They know an event by its idempotency record alone, which expires: see docs/hostile-input.md."""
MADE_AGAIN = {"application_logs/archive", "database_changes/replicate_to_dynamodb", "system_alerts/dispatch"}
"""Their effect may be repeated; the result is the same: an object, a tombstone, an entry of an alert's history."""


@SUBJECTS
def test_an_event_of_long_ago_that_comes_again_has_no_second_effect(world: World, subject: Subject) -> None:
    """A replay from an archive: an old timestamp alone is not an error."""
    event = {**json.loads(neighbours(subject)[0]), "time": "1970-01-01T00:00:00Z"}
    record = subject.record(corpus.text(event))
    [(before, _)] = world.call(subject, [record]).outcomes()
    effects = world.stored()
    again = world.call(subject, [record, record]).outcomes()
    assert {before, *(outcome for outcome, _ in again)} <= FINAL
    assert world.stored() == effects


@SUBJECTS
def test_an_event_after_its_idempotency_record_expired_is_treated_as_the_page_says(
    world: World, subject: Subject
) -> None:
    world.forget()
    record = subject.record(neighbours(subject)[0])
    [(before, _)] = world.call(subject, [record]).outcomes()
    _let_expire(world)
    [(after, _)] = world.call(subject, [record]).outcomes()
    if before == "discarded":
        assert after == "discarded"
    else:
        expected = "processed" if subject.name in TAKEN_FOR_NEW | MADE_AGAIN else "duplicate"
        assert (before, after) == ("processed", expected)


@pytest.mark.parametrize("name", ["team_events/team_a", "audit_logs/record", "user_registration/mail_feedback"])
def test_of_a_key_that_stands_twice_the_last_counts(world: World, name: str) -> None:
    subject = next(each for each in subjects() if each.name == name)
    body = neighbours(subject)[0]
    [receipt] = world.call(subject, [subject.record(body[:-1] + ',"id":"last"}')]).receipts()
    assert (receipt["outcome"], receipt["event_id"]) == ("processed", "last")


def _let_expire(world: World) -> None:
    """Delete what DynamoDB's time to live deletes 400 days later."""
    for page in world.dynamodb.get_paginator("scan").paginate(TableName=TABLE):
        for item in page["Items"]:
            if any("expires_at" in name for name in item):
                world.dynamodb.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
