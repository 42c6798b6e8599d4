"""The demo: which deliveries it expects, and what it takes for a proof."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fanout import contracts, identity
from fanout_cli.demo import run as demo_run
from fanout_cli.demo.definition import Check, Event, UseCaseDemo, load, samples
from fanout_cli.demo.run import Report, Row, _by_subscriber, _expected, _fresh
from fanout_cli.errors import UserError
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack.topology import Subscriber, Subscription, Topic, Topology
from fanout_cli.tracing.tracer import Delivery, Trace
from usecases.team_events.demo import Demo
from usecases.user_registration.demo import Demo as UserRegistration

ROOT = Path(__file__).parents[3]
TYPE = "team.message.posted.v1"


def subscription(name: str | None, policy: dict[str, Any] | None = None) -> Subscription:
    return Subscription(f"arn:{name}", "arn:topic", "sqs", "arn:aws:sqs:r:a:q", False, policy, "MessageBody", name)


def topology(*subscriptions: Subscription) -> Topology:
    names = [each.subscriber for each in subscriptions if each.subscriber]
    subscribers = {name: Subscriber(name, name, "g", "i", "d", {"FEED_TABLE": "feeds"}) for name in names}
    return Topology("fanout", (Topic("TeamEvents", "arn:topic", "team_events", subscriptions),), subscribers)


def event(**data: Any) -> Event:
    return {
        "specversion": "1.0",
        "id": "e1",
        "source": "urn:example:intranet",
        "type": TYPE,
        "time": "2026-11-22T12:00:00Z",
        "data": {"text": "Lunch", "author": "Maya Lindqvist", **data},
    }


@pytest.fixture(autouse=True)
def _contracts() -> None:
    contracts.load("team_events")


def demo_of(deployed: Topology) -> Demo:
    return Demo("team_events", lambda _: None, deployed)


TEAMS = [subscription("team_events/team_a"), subscription("team_events/team_b"), subscription("team_events/broadcast")]


def test_an_event_for_all_is_expected_at_every_subscriber() -> None:
    deployed = topology(*TEAMS, subscription(None))
    expected = _expected([event()], deployed, {"team_events": demo_of(deployed)})
    assert [(each.subscriber, each.addressed) for each in expected] == [
        ("team_events/team_a", True),
        ("team_events/team_b", True),
        ("team_events/broadcast", True),
    ]


def test_those_whom_the_audience_leaves_out_must_discard_it() -> None:
    deployed = topology(*TEAMS)
    expected = _expected([event(audience=["team_b"])], deployed, {"team_events": demo_of(deployed)})
    assert [each.subscriber for each in expected if not each.addressed] == ["team_events/team_a"]


def test_those_whom_the_filter_leaves_out_are_not_expected() -> None:
    deployed = topology(subscription("team_events/team_a", {"type": ["other.v1"]}), subscription("team_events/team_b"))
    expected = _expected([event()], deployed, {"team_events": demo_of(deployed)})
    assert [each.subscriber for each in expected] == ["team_events/team_b"]


def test_derived_events_are_expected_under_the_id_they_will_have() -> None:
    deployed = topology(subscription("team_events/team_a"))

    class WithReply(Demo):
        def derived(self, cause: Event) -> list[Event]:
            return [self.caused(cause, "team_a", TYPE, {"text": "Reply"})] if cause["id"] == "e1" else []

    expected = _expected([event()], deployed, {"team_events": WithReply("team_events", lambda _: None, deployed)})
    derived_id = identity.derived_id("urn:example:intranet", "e1", "team_events/team_a", TYPE, 0)
    assert [each.event["id"] for each in expected] == ["e1", derived_id]


def test_every_run_makes_new_ids_times_and_contents() -> None:
    demo = demo_of(topology(*TEAMS))
    first, second = (_fresh(demo, [event()])[0] for _ in range(2))
    assert len({first["id"], second["id"], "e1"}) == 3
    assert len({first["data"]["text"], second["data"]["text"], "Lunch"}) == 3
    assert datetime.fromisoformat(first["time"]) > datetime(2026, 11, 22, tzinfo=UTC)


def delivery(outcome: str = "processed") -> Delivery:
    return Delivery("team_events/team_a", outcome, 1, 12, None)


@pytest.mark.parametrize(
    ("report", "ok"),
    [
        (Report([Row(event(), delivery(), "it is there")]), True),
        (Report([Row(event(), delivery(), "")]), False),
        (Report([Row(event(), delivery("duplicate"), "it is there")]), False),
        (Report([Row(event(), delivery("pending"), "")]), False),
        (Report([Row(event(), delivery(), "it is there")], [("team_events", Check("mail", "sent"))]), True),
        (Report([Row(event(), delivery(), "it is there")], [("team_events", Check("mail", ""))]), False),
        (Report(), False),
    ],
)
def test_only_processed_deliveries_with_their_effects_are_ok(report: Report, ok: bool) -> None:
    assert report.ok is ok
    assert report.to_json()["ok"] is ok


def test_the_json_of_a_row_is_a_traces_delivery_with_use_case_event_and_effect() -> None:
    row = Row(event(), delivery(), "it is there")
    assert json.loads(demo_run.as_text(Report([row])))["deliveries"] == [
        {
            "use_case": "team_events",
            "event_id": "e1",
            "subscriber": "team_events/team_a",
            "outcome": "processed",
            "attempts": 1,
            "latency_ms": 12,
            "reason": None,
            "effect": "it is there",
        }
    ]


def test_a_delivery_is_found_by_its_event_and_subscriber() -> None:
    trace = Trace("e1", TYPE, "arn", None, [delivery()])
    assert _by_subscriber([trace]) == {("e1", "team_events/team_a"): delivery()}


def test_a_use_case_without_a_demo_is_named_with_the_file_to_write() -> None:
    with pytest.raises(UserError, match=r"usecases/no_such_use_case/demo\.py is missing"):
        load(ROOT, "no_such_use_case", lambda _: None, topology(*TEAMS))


def test_a_use_case_without_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no sample events/team_events/valid/ordinary\*\.json"):
        samples(tmp_path, "team_events")


@pytest.mark.parametrize("use_case", contracts.use_cases())
def test_every_use_case_that_can_be_deployed_has_a_demo_and_samples(use_case: str) -> None:
    if not (ROOT / "usecases" / use_case / "template.yaml").exists():
        pytest.skip(f"{use_case} has contracts, and no template yet")
    assert isinstance(load(ROOT, use_case, lambda _: None, topology(*TEAMS)), UseCaseDemo)
    assert samples(ROOT, use_case)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(UserError, match="team_events/team_a has no OTHER_TABLE"):
        demo_of(topology(*TEAMS)).setting("team_a", "OTHER_TABLE")


class Feeds:
    """A feed table with one item."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.keys: list[Any] = []

    def get_item(self, **request: Any) -> dict[str, Any]:
        self.keys.append(request["Key"])
        item = {"text": {"S": self._text}, "author": {"S": "Maya Lindqvist"}, "posted_at": {"S": "noon"}}
        return {"Item": item}


def test_an_effect_is_what_stands_in_the_store_and_nothing_else() -> None:
    there, other = Feeds("Lunch"), Feeds("Something else")
    effect = Demo("team_events", lambda _: there, topology(*TEAMS)).effect(event(), "broadcast")
    assert effect == "the feed of everyone holds Maya Lindqvist's message of noon"
    assert there.keys == [
        {"pk": {"S": "feed#everyone"}, "sk": {"S": "2026-11-22T12:00:00.000+00:00#urn:example:intranet#e1"}}
    ]
    assert Demo("team_events", lambda _: other, topology(*TEAMS)).effect(event(), "broadcast") == ""


def test_what_a_producer_of_the_application_publishes_is_not_published_by_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The samples are stored where the producer reads; the expected deliveries are those of its events."""
    brought_about: list[str] = []

    class Produced(Demo):
        def fresh(self, event: Event, run: str) -> Event:
            return event

        def bring_about(self, events: Sequence[Event]) -> list[Event]:
            brought_about.extend(each["data"]["text"] for each in events)
            return [{**each, "id": f"of-the-producer-{number}"} for number, each in enumerate(events)]

        def effect(self, event: Event, subscriber: str) -> str:
            return "there"

    deployed = topology(*TEAMS[:1])
    folder = tmp_path / "events" / "team_events" / "valid"
    folder.mkdir(parents=True)
    (folder / "ordinary.json").write_text(json.dumps(event()))
    waited: list[str] = []

    def wait(_: Any, expected: Sequence[Any], __: Any) -> dict[tuple[str, str], Delivery]:
        waited.extend(each.event["id"] for each in expected)
        return {
            (each.event["id"], each.subscriber): Delivery(each.subscriber, "processed", None, 1, 1) for each in expected
        }

    monkeypatch.setattr(demo_run, "_wait", wait)
    monkeypatch.setattr(demo_run, "check_unrouted", lambda *_: [])
    produced = Produced("team_events", lambda _: None, deployed)
    report = demo_run._run(lambda _: None, deployed, Journal(tmp_path), tmp_path, {"team_events": produced})
    assert brought_about == ["Lunch"]
    assert waited == ["of-the-producer-0"]
    assert [row.ok for row in report.rows] == [True]


def deployed_with(use_case: str, **environments: dict[str, str]) -> Topology:
    """A use case with one topic and these subscribers, each with its environment."""
    names = {f"{use_case}/{name}": environment for name, environment in environments.items()}
    subscribers = {name: Subscriber(name, name, "g", "i", "d", environment) for name, environment in names.items()}
    return Topology("fanout", (Topic("UserRegistration", "arn:topic", use_case, ()),), subscribers)


@pytest.mark.parametrize("use_case", ["user_registration", "order_processing", "order_workflow"])
def test_a_demo_sends_mail_to_the_mailbox_simulator_only(use_case: str) -> None:
    """On AWS mail to example.org bounces and counts against the account's reputation."""
    demo = load(
        ROOT, use_case, lambda _: Stock(), deployed_with(use_case, payment={}, inventory={"STOCK_TABLE": "stock"})
    )
    # Feedback is about an address and mails none.
    fresh = [each for each in _fresh(demo, samples(ROOT, use_case)) if each["type"] != "mail.feedback.v1"]
    addresses = re.findall(r'"([^" ]+@[^" ]+)"', json.dumps(fresh))
    assert len(set(addresses)) == len(addresses) > 0
    for address in addresses:
        assert re.fullmatch(r"success\+[0-9a-f]{12}@simulator\.amazonses\.com", address)


class Stock:
    """Takes what the demo puts into stock."""

    def update_item(self, **_: Any) -> None: ...


class Suppressions:
    """SNS, the hash key, and a mail table whose suppressed addresses have had one cause."""

    def __init__(self, cause: str) -> None:
        self._cause = cause
        self.published: list[Event] = []

    def publish(self, **request: Any) -> None:
        self.published.append(json.loads(request["Message"]))

    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        return {"SecretString": "k" * 32}

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": {"causes": {"SS": [self._cause]}}}


@pytest.mark.parametrize(("cause", "found"), [("permanent_bounce", True), ("complaint", False)])
def test_the_demo_registers_an_address_that_bounces_and_finds_it_suppressed_for_that(
    monkeypatch: pytest.MonkeyPatch, cause: str, found: bool
) -> None:
    monkeypatch.setattr("usecases.user_registration.demo._BOUNCE_SECONDS", 0)
    account = Suppressions(cause)
    deployed = deployed_with(
        "user_registration",
        analytics_service={"EMAIL_HASH_KEY_SECRET_ARN": "key"},
        mail_feedback={"MAIL_TABLE": "mail"},
    )
    demo = UserRegistration("user_registration", lambda _: account, deployed)
    registered = {**event(user_id="usr_1f"), "type": "user.registered.v1"}
    [check] = demo.others([registered])
    assert bool(check.found) is found
    [bouncing] = account.published
    assert bouncing["data"]["email"] == "bounce+usr_1f@simulator.amazonses.com"
    assert bouncing["id"] != registered["id"]
