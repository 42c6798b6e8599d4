"""The hard case: 3,000 changes on 200 keys, with the SQL replica down for part of them."""

import random
import time
from typing import Any

from tests.integration.database_changes.conftest import DYNAMODB, SQL, Replication, by_key, key
from tests.waiting import until

CHANGES, KEYS, TOGETHER = 3_000, 200, 25
PREFIX = "hard#"


def test_both_replicas_equal_the_primary_and_a_row_altered_by_hand_is_named(replication: Replication) -> None:
    changes = Changes(replication)
    changes.write(CHANGES // 3)
    with replication.sql_down():
        down_since = round(time.time() * 1000)
        changes.write(CHANGES // 3)
        until(lambda: is_retrying(replication, down_since), "the SQL replica's changes are tried again", every=0.5)
        until(
            lambda: replication.in_dynamodb(PREFIX) == by_key(changes.expected),
            "the other replica goes on without it",
            seconds=120,
            every=0.5,
        )
    changes.write(CHANGES - changes.count)

    report = replication.verify(wait=150)
    assert report["ok"] is True
    assert report["differences"] == []
    assert report["rows"] == len(replication.in_primary())
    expected = by_key(changes.expected)
    assert replication.in_primary(PREFIX) == expected
    assert replication.in_dynamodb(PREFIX) == expected
    assert replication.in_sql(PREFIX) == expected
    assert changes.deletions > 300
    assert changes.insertions_after_deletions > 200
    for name in (DYNAMODB, SQL):
        assert not replication.application.dead_letters(name), "the outage has dead-lettered nothing"

    altered, lost = sorted(expected)[:2]
    with replication.connected() as connection:
        change = (
            """UPDATE replicated_rows SET "row" = jsonb_set("row"::jsonb, '{visits,N}', '"-1"')::json WHERE key = %s"""
        )
        assert connection.execute(change, [altered]).rowcount == 1
        assert connection.execute("DELETE FROM replicated_rows WHERE key = %s", [lost]).rowcount == 1
    report = replication.verify(code=1)
    found = {(each["key"]["pk"]["S"], each["replica"], each["problem"]): each for each in report["differences"]}
    assert set(found) == {
        (expected[altered]["pk"]["S"], "sql", "different"),
        (expected[lost]["pk"]["S"], "sql", "missing"),
    }
    assert found[expected[altered]["pk"]["S"], "sql", "different"]["attributes"] == ["visits"]
    # The next change of each row repairs it.
    for row in (expected[altered], expected[lost]):
        replication.put(row["pk"]["S"], visits={"N": "1000000"})
    assert replication.verify(wait=60)["ok"] is True


class Changes:
    """Inserts, updates, deletions and insertions of what was deleted, and what must come of them."""

    def __init__(self, replication: Replication) -> None:
        self._random = random.Random(5)
        self._replication = replication
        self.expected: dict[str, dict[str, Any]] = {}
        self._deleted: set[str] = set()
        self.count = self.deletions = self.insertions_after_deletions = 0

    def write(self, number: int) -> None:
        """Write that many changes to the primary, each with an effect."""
        dynamodb = self._replication.application.client("dynamodb")
        for start in range(0, number, TOGETHER):
            names = self._random.sample(range(KEYS), min(TOGETHER, number - start))
            requests = [self._change(f"{PREFIX}{name:03d}") for name in names]
            answer = dynamodb.batch_write_item(RequestItems={self._replication.primary: requests})
            assert not answer["UnprocessedItems"]

    def _change(self, name: str) -> dict[str, Any]:
        self.count += 1
        if name in self.expected and self._random.random() < 0.25:
            del self.expected[name]
            self._deleted.add(name)
            self.deletions += 1
            return {"DeleteRequest": {"Key": key(name)}}
        self.insertions_after_deletions += name in self._deleted
        self._deleted.discard(name)
        row = {
            **key(name),
            "visits": {"N": str(self.count)},
            "name": {"S": "".join(self._random.choices("aeioukmnrst Øé王🚲", k=self._random.randint(0, 40)))},
            "address": {"M": {"lines": {"L": [{"S": name}, {"NULL": True}]}, "verified": {"BOOL": True}}},
        }
        self.expected[name] = row
        return {"PutRequest": {"Item": row}}


def is_retrying(replication: Replication, since: int) -> bool:
    """Whether the SQL replica's function has put off a change since then."""
    found = replication.application.client("logs").filter_log_events(
        logGroupName=replication.application.subscriber(SQL).log_group,
        filterPattern='"retrying"',
        startTime=since,
        limit=1,
    )
    return bool(found["events"])
