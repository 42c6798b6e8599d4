"""Every subscriber of every use case meets hostile records among good ones."""

import json
import os
from collections.abc import Iterable

import pytest

from fanout import contracts
from tests.adversarial import corpus
from tests.adversarial.world import Answer, Subject, World, subjects

SUBJECTS = pytest.mark.parametrize("subject", subjects(), ids=lambda subject: subject.name)
NAMES = [subject.name for subject in subjects()]
# A line of a log: what a receipt holds at most, and a traceback's frames.
LONGEST_LINE = 16_384
# So many of each kind meet each subscriber at every run; all of them where somebody searches (see conftest).
MOST = 10
EVERYTHING = bool(os.environ.get("FANOUT_FUZZ"))


def neighbours(subject: Subject) -> list[str]:
    """Two events that the subscriber takes, under ids of their own."""
    events = [json.loads(body) for body in subject.samples()[:2]]
    return [corpus.text({**event, "id": f"good-{number}"}) for number, event in enumerate((events[0], events[-1]))]


def among_good_ones(world: World, subject: Subject, hostile: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Hand over hostile bodies between two good events. Returns (outcome, reason) of each hostile one by its name.

    The good ones come to the same, and have the same effects, as without the others; nothing crashes, each record has
    its receipt, and what is logged stays short.
    """
    bodies = dict(hostile)
    first, last = neighbours(subject)
    world.forget()
    alone = world.call(subject, [subject.record(first), subject.record(last)]).outcomes()
    effects = world.stored()
    assert {outcome for outcome, _ in alone} <= {"processed", "duplicate", "discarded"}, alone
    world.forget()
    records = [subject.record(body) for body in (first, *bodies.values(), last)]
    answer = world.call(subject, records)
    outcomes = answer.outcomes()
    assert len(outcomes) == len(records)
    assert [outcomes[0], outcomes[-1]] == alone
    assert not effects - world.stored()
    assert_bounded(answer, len(records))
    found = dict(zip(bodies, outcomes[1:-1], strict=True))
    comes_again = {name: told for name, told in found.items() if told[0] not in FINAL}
    assert not comes_again, "what no time can mend is tried again"
    assert answer.failed == []
    return found


FINAL = {"processed", "duplicate", "discarded", "rejected"}


def assert_bounded(answer: Answer, records: int) -> None:
    """Nothing hostile is logged raw: one JSON document a line, printable, and no line long."""
    for line in answer.lines:
        json.loads(line)
        assert line.isascii() or not any(ord(each) < 32 for each in line)
        longest = LONGEST_LINE if '"message":"received"' not in line else 1_000 * records
        assert len(line) <= longest, f"{len(line)} characters: {line[:400]}"


@SUBJECTS
def test_what_is_no_event_is_rejected_with_a_reason(world: World, subject: Subject) -> None:
    cases = corpus.no_events(json.loads(neighbours(subject)[0]))
    found = among_good_ones(world, subject, every_third(subject, list(cases.items())))
    assert not {name: told for name, told in found.items() if told[0] != "rejected" or ": " not in told[1]}
    nowhere = "claim-check-missing: nothing is stored under the event's claim check"
    assert found.get("claimcheck that nothing lies under", ("rejected", nowhere)) == ("rejected", nowhere)


def every_third(subject: Subject, cases: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Other ones for each subscriber: the decoder is the same for all. All where somebody searches."""
    return cases if EVERYTHING else cases[NAMES.index(subject.name) % 3 :: 3]


FOREIGN = {
    type_: corpus.text(event) for use_case in contracts.use_cases() for type_, event in corpus.samples(use_case).items()
}


@SUBJECTS
def test_a_type_that_the_filter_would_not_let_through_is_not_handled(world: World, subject: Subject) -> None:
    """Each event type there is but the subscriber's own."""
    own = {type_ for type_ in contracts.load(subject.use_case) if _is_taken(subject, type_)}
    found = among_good_ones(world, subject, {k: v for k, v in FOREIGN.items() if k not in own}.items())
    for type_, (outcome, reason) in found.items():
        known = type_ in contracts.load(subject.use_case)
        assert outcome in ({"discarded"} if known else {"rejected", "discarded"}), type_
        assert reason.startswith(("not-handled: ", "unknown-type: ")), type_


def _is_taken(subject: Subject, type_: str) -> bool:
    return any(f'"{type_}"' in body for body in subject.samples())


@SUBJECTS
def test_an_event_whose_data_is_bent_or_goes_deep_is_judged_at_once(world: World, subject: Subject) -> None:
    event = json.loads(neighbours(subject)[0])
    bent = list(corpus.bent(event))
    nested = [each for depth in (90, 300, 900) for each in corpus.nested(event, depth)]
    among_good_ones(world, subject, [*some(bent), *some(nested)])


def some(cases: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same few of them at every run, from first to last; all where somebody searches."""
    return cases if EVERYTHING else cases[:: len(cases) // MOST + 1]
