"""The account of a run reports every lost and doubled effect, whatever the receipts say."""

import pytest

from tests.chaos.accounts import Settled, account
from tests.chaos.workload import Due

DUE = Due("e-1", "team_events/team_a", {"id": "e-1", "type": "team.message.posted.v1"})


def settled(outcome: str, *, times: int | None, dead_letter: str = "", is_addressed: bool = True) -> Settled:
    return Settled(DUE, outcome=outcome, dead_letter=dead_letter, times=times, is_addressed=is_addressed)


@pytest.mark.parametrize("outcome", ["processed", "duplicate"])
def test_an_effect_that_is_there_once_is_processed(outcome: str) -> None:
    found = account([settled(outcome, times=1)])
    assert (found.due, found.processed, found.is_clean, found.complaints) == (1, 1, True, [])


def test_an_event_with_a_processed_receipt_and_no_effect_is_lost() -> None:
    found = account([settled("processed", times=0)])
    assert (found.processed, found.lost, found.is_clean) == (0, 1, False)
    assert "receipts say processed, its effect is there 0 times" in found.complaints[0]


def test_an_effect_that_is_there_twice_is_doubled() -> None:
    found = account([settled("processed", times=2)])
    assert (found.doubled, found.is_clean, len(found.complaints)) == (1, False, 1)


@pytest.mark.parametrize("times", [0, 1])
def test_a_rejected_event_is_not_lost_while_it_is_a_dead_letter(times: int) -> None:
    assert account([settled("rejected", times=times, dead_letter="outcome-unknown")]).is_clean


def test_a_rejected_event_without_a_dead_letter_is_lost() -> None:
    assert account([settled("rejected", times=0)]).lost == 1


def test_a_dead_letter_whose_effect_is_there_twice_is_doubled() -> None:
    assert account([settled("dead-lettered", times=2, dead_letter="outcome-unknown")]).doubled == 1


def test_a_discarded_event_with_an_effect_is_a_fault() -> None:
    assert not account([settled("discarded", times=1)]).is_clean


@pytest.mark.parametrize("outcome", ["pending", "retrying"])
def test_an_event_without_a_final_outcome_is_lost(outcome: str) -> None:
    found = account([settled(outcome, times=1)])
    assert (found.lost, found.is_clean) == (1, False)


def test_every_due_delivery_is_in_the_sum() -> None:
    each = [
        settled("processed", times=1),
        settled("rejected", times=0, dead_letter="outcome-unknown"),
        settled("discarded", times=0),
        settled("pending", times=0),
    ]
    found = account(each)
    assert found.due == found.processed + found.rejected + found.discarded + found.lost == 4


@pytest.mark.parametrize("outcome", ["processed", "discarded"])
def test_the_receipt_counts_if_a_later_event_replaced_the_effect(outcome: str) -> None:
    assert account([settled(outcome, times=None)]).is_clean
    assert not account([settled("pending", times=None)]).is_clean


def test_a_valid_event_that_was_rejected_as_invalid_is_a_fault() -> None:
    found = account([settled("rejected", times=0, dead_letter="invalid-event")])
    assert (found.rejected, found.lost, found.is_clean) == (1, 0, False)


@pytest.mark.parametrize("is_addressed", [True, False])
def test_only_events_for_other_subscribers_may_be_discarded(is_addressed: bool) -> None:
    assert account([settled("discarded", times=0, is_addressed=is_addressed)]).is_clean is not is_addressed
