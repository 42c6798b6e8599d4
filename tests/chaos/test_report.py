"""The table and the figures of a run: waves of one fault are one row, and what is not clean does not look so."""

from collections import Counter

import pytest

from tests.chaos.accounts import Account
from tests.chaos.chaos import WAVE, waves
from tests.chaos.report import Report, Row


def row(fault: str = "dynamodb-throttled", strikes: int = 3, **account: int) -> Row:
    made = Account(**{"due": 2, "processed": 2, **account})
    return Row(fault, strikes, 2, 1.0, {"team_events": made})


def report(*rows: Row) -> Report:
    made = Report(7)
    for each in rows:
        made.add(each)
    return made


def test_waves_of_a_fault_are_one_row() -> None:
    made = report(row(), row(), row("s3-slow-down"))
    assert made.to_json() == {
        "seed": 7,
        "published": 6,
        "processed": 6,
        "rejected": 0,
        "discarded": 0,
        "lost": 0,
        "doubled": 0,
        "faults": ["dynamodb-throttled", "s3-slow-down"],
    }
    assert made.lines() == [
        ["dynamodb-throttled", "4", "6", "4", "0", "0", "0", "0"],
        ["s3-slow-down", "2", "3", "2", "0", "0", "0", "0"],
        ["all", "6", "9", "6", "0", "0", "0", "0"],
    ]
    assert made.is_clean


@pytest.mark.parametrize(
    "bad",
    [row(processed=1, lost=1), row(doubled=1), row(strikes=0), row(due=3)],
    ids=["lost", "doubled", "idle", "sum"],
)
def test_a_run_with_a_fault_is_not_clean(bad: Row) -> None:
    assert not report(row("s3-slow-down"), bad).is_clean


def test_an_empty_run_is_not_clean() -> None:
    assert not report().is_clean


def test_a_run_with_an_audit_trail_that_does_not_verify_is_not_clean() -> None:
    made = report(row())
    made.faults_of_stores.append("chaos-1: entry 3 was changed")
    assert not made.is_clean


def test_a_run_that_was_too_small_for_every_sample_is_not_clean() -> None:
    made = report(row())
    made.unpublished.append("order_workflow 1")
    assert not made.is_clean


def test_reasons_of_all_waves_are_counted() -> None:
    first, second = row(), row()
    first.accounts["team_events"].reasons["outcome-unknown"] = 1
    second.accounts["team_events"].reasons["outcome-unknown"] = 2
    assert report(first, second).total.reasons == Counter({"outcome-unknown": 3})


@pytest.mark.parametrize("count", [1, 27, WAVE, WAVE + 1, 555])
def test_waves_are_small_and_add_up_to_the_whole(count: int) -> None:
    found = waves(count)
    assert sum(found) == count
    assert max(found) <= WAVE
    assert max(found) - min(found) <= 1
