"""The commands `fanout dlq`: output, confirmation and exit codes."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fanout.testing import failed_invocation, notification, sns_record
from fanout_cli.commands import dlq
from fanout_cli.dead_letters import dead_letter, filters, redrive
from fanout_cli.dead_letters.queue import DeadLetterQueue
from fanout_cli.stack.target import Target
from tests.unit.cli.conftest import Application, Result

Run = Callable[..., Result]
A, B = "team_events/team_a", "team_events/team_b"


def event(name: str, **more: Any) -> str:
    return json.dumps({"specversion": "1.0", "id": name, "source": "urn:s", "type": "t.v1", "data": {}, **more})


@pytest.fixture
def deployed(application: Application, monkeypatch: pytest.MonkeyPatch, run: Run) -> Application:
    """Two subscribers, reached by the commands."""
    application.add(A, FANOUT_CLAIM_CHECK_BUCKET="parked")
    application.add(B)

    class Deployed(Target):
        def topology(self) -> Any:
            return application.topology

        def client(self, service: str) -> Any:
            return application.client(service)

    monkeypatch.setattr(dlq, "resolve", lambda *_: Deployed("fanout", None, None))  # type: ignore[arg-type]
    for module in (dead_letter, filters, redrive):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.1)
    return application


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def rejected(
    application: Application, body: str, reason: str = "invalid-event: no", ago: float = 0, to: str = A
) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    code = reason.partition(":")[0]
    application.dead_letter(to, body, outcome="rejected", code=code, reason=reason, attempts="1", rejected_at=at)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.out.splitlines()]


def depth(application: Application, name: str, queue: str = "dead_letter_url") -> int:
    """How many messages a queue has; nothing may have stayed hidden."""
    url = getattr(application.subscribers[name], queue)
    found = application.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessagesNotVisible"] == "0"
    return int(found["ApproximateNumberOfMessages"])


def test_dead_letters_are_listed_by_subscriber_and_reason_with_the_age_of_the_oldest(
    deployed: Application, run: Run
) -> None:
    rejected(deployed, event("1"), ago=7200)
    rejected(deployed, event("2"), "invalid-event: something else")
    rejected(deployed, event("3"), "unknown-type: x")
    deployed.dead_letter(B, json.dumps(failed_invocation(sns_record(event("4")))))
    result = run("dlq", "list", "--json")
    assert result.exit_code == 0
    found = [(each["subscriber"], each["reason"], each["dead_letters"]) for each in lines(result)]
    assert found == [(A, "invalid-event", 2), (A, "unknown-type", 1), (B, "function failed", 1)]
    assert [each["code"] for each in lines(result)] == ["invalid-event", "unknown-type", None]
    assert 7190 < lines(result)[0]["age_seconds"] < 7260
    table = run("dlq", "list", "--subscriber", A).out
    assert "invalid-event" in table
    assert "2 h" in table
    assert B not in table
    assert run("dlq", "list", "--use-case", "team_events", "--json").out.count("\n") == 3


def test_each_dead_letter_is_listed_with_its_ids(deployed: Application, run: Run) -> None:
    rejected(deployed, event("younger"))
    rejected(deployed, event("older"), ago=60)
    found = lines(run("dlq", "list", "--each", "--json"))
    assert [each["event_id"] for each in found] == ["older", "younger"]
    assert (found[0]["code"], found[0]["reason"]) == ("invalid-event", "invalid-event: no")
    assert found[0]["type"] == "t.v1"
    assert "younger" in run("dlq", "list", "--each").out


def test_an_empty_list_succeeds(deployed: Application, run: Run) -> None:
    result = run("dlq", "list")
    assert (result.exit_code, result.out) == (0, "")
    assert "no dead letters" in result.err


def test_dead_letters_held_by_another_consumer_are_counted(deployed: Application, run: Run) -> None:
    rejected(deployed, event("1"))
    url = deployed.subscribers[A].dead_letter_url
    deployed.sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)
    result = run("dlq", "list")
    assert result.exit_code == 0
    assert f"1 dead letter of {A} is held by another consumer" in result.err


def test_a_dead_letter_is_shown_in_full_however_it_was_wrapped(deployed: Application, run: Run) -> None:
    record = sns_record(event("wrapped", claimcheck="abc123", data={"text": "Zoë"}))
    deployed.dead_letter(A, json.dumps(failed_invocation(record)))
    shown = run("dlq", "show", A)
    assert shown.exit_code == 0
    for expected in ("wrapped", "t.v1", "signal: killed", "s3://parked/team_events/abc123", '"text": "Zo', "Lambda"):
        assert expected in shown.out
    [found] = lines(run("dlq", "show", A, "--id", record["Sns"]["MessageId"], "--json"))
    assert (found["event_id"], found["event"]["data"]) == ("wrapped", {"text": "Zoë"})
    assert found["body"] == record["Sns"]["Message"]
    assert (found["attempts"], found["outcome"], found["put_there_by"]) == (3, "dead-lettered", "lambda")
    assert record["Sns"]["MessageId"] in found["message_ids"]


def test_without_an_id_the_oldest_is_shown_and_the_others_named(deployed: Application, run: Run) -> None:
    rejected(deployed, event("younger"))
    rejected(deployed, event("older"), ago=60)
    result = run("dlq", "show", A)
    assert "older" in result.out
    assert "younger" not in result.out
    assert "1 more, by --id: younger" in result.err


def test_an_id_that_no_dead_letter_has_is_named(deployed: Application, run: Run) -> None:
    rejected(deployed, event("1"))
    result = run("dlq", "show", A, "--id", "2")
    assert result.exit_code == 1
    assert f"{A} has no dead letter 2" in result.err


HOSTILE = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202egnp.exe\r"


@pytest.mark.guarantee("hostile-input/terminal")
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "text"])
@pytest.mark.parametrize(
    "body",
    [
        f"plain {HOSTILE}",
        json.dumps({"id": HOSTILE, "type": HOSTILE, "source": HOSTILE, "data": HOSTILE}, ensure_ascii=False),
        json.dumps({"id": HOSTILE, "claimcheck": HOSTILE, "data": "\ud800"}),
        "[" * 100_000,
        '{"id": 1e999, "id": "twice", "data": NaN}',
    ],
    ids=["text", "JSON with raw characters", "JSON with escapes", "a bomb", "no JSON after all"],
)
def test_nothing_in_a_dead_letter_can_control_the_terminal(
    deployed: Application, run: Run, body: str, options: list[str]
) -> None:
    deployed.dead_letter(A, body, outcome="rejected", reason=f"invalid-event: {HOSTILE[-8:-1]}")
    for command in (["show", A], ["list"], ["list", "--each"], ["redrive", A, "--all", "--dry-run"]):
        result = run("dlq", *command, *options)
        assert result.exit_code == 0, result.err
        for text in (result.out, result.err):
            odd = {each for each in text if not each.isprintable()} - {"\n"}
            assert not odd, f"{command}: {odd}"


@pytest.mark.parametrize("command", ["redrive", "purge"])
def test_no_terminal_and_no_yes_is_wrong_usage(
    deployed: Application, run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected(deployed, event("1"))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    result = run("dlq", command, A, "--all")
    assert result.exit_code == 2
    assert "--yes" in result.err
    assert depth(deployed, A) == 1


@pytest.mark.parametrize("answer", ["y", "n", ""])
@pytest.mark.parametrize("command", ["redrive", "purge"])
def test_the_question_names_the_number_and_takes_yes_only(
    deployed: Application, run: Run, monkeypatch: pytest.MonkeyPatch, command: str, answer: str
) -> None:
    for number in range(3):
        rejected(deployed, event(str(number)))
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    result = run("dlq", command, A, "--all")
    assert f"3 dead letters of {A}" in result.err
    assert (result.exit_code, depth(deployed, A)) == ((0, 0) if answer == "y" else (1, 3))


@pytest.mark.parametrize("command", ["redrive", "purge"])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "no dead letters are chosen"),
        (["--all", "--id", "1"], "--all with a selection"),
        (["--since", "soon"], "--since soon"),
    ],
    ids=["none", "both", "no time"],
)
def test_a_choice_that_means_nothing_is_wrong_usage(
    deployed: Application, run: Run, command: str, options: list[str], problem: str
) -> None:
    result = run("dlq", command, A, "--yes", *options)
    assert result.exit_code == 2
    assert problem in result.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--all"], {"old", "new", "other"}),
        (["--id", "old", "--id", "new"], {"old", "new"}),
        (["--reason", "Invalid"], {"old", "new"}),
        (["--since", "1h"], {"new", "other"}),
        (["--until", "1h"], {"old"}),
        (["--since", "1h", "--reason", "invalid-event"], {"new"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exactly_the_chosen_dead_letters_are_redriven(
    deployed: Application, run: Run, options: list[str], expected: set[str]
) -> None:
    rejected(deployed, event("old"), ago=7200)
    rejected(deployed, event("new"))
    rejected(deployed, event("other"), "unknown-type: x")
    preview = run("dlq", "redrive", A, *options, "--dry-run", "--json")
    assert {each["event_id"] for each in lines(preview)} == expected
    assert depth(deployed, A) == 3, "a dry run does nothing"
    result = run("dlq", "redrive", A, *options, "--yes", "--json")
    assert result.exit_code == 0
    assert {(each["event_id"], each["outcome"]) for each in lines(result)} == {(each, "redriven") for each in expected}
    assert f"redriven {len(expected)}, skipped 0, failed 0" in result.err
    assert depth(deployed, A, "inbox_url") == len(expected)
    assert depth(deployed, B, "inbox_url") == 0, "the other subscriber gets nothing"
    assert depth(deployed, A) == 3 - len(expected)


def test_a_missing_id_fails_after_the_others_were_redriven(deployed: Application, run: Run) -> None:
    rejected(deployed, event("1"))
    result = run("dlq", "redrive", A, "--id", "1", "--id", "2", "--yes")
    assert result.exit_code == 1
    assert "no such dead letter: 2" in result.err
    assert "redriven 1" in result.out


def test_nothing_to_redrive_succeeds(deployed: Application, run: Run) -> None:
    result = run("dlq", "redrive", A, "--all", "--yes")
    assert result.exit_code == 0
    assert "no dead letter to redrive" in result.err


def test_a_dead_letter_that_stays_behind_is_a_failure(deployed: Application, run: Run) -> None:
    deployed.dead_letter(A, json.dumps({"requestContext": {}, "requestPayload": {"n": 1}}))
    result = run("dlq", "redrive", A, "--all", "--yes")
    assert result.exit_code == 1
    assert "redriven 0, skipped 1, failed 0" in result.out
    assert "nothing that the inbox could take" in result.err


def test_a_fifo_queue_is_worked_off_though_it_shows_ten_dead_letters_of_a_group(
    deployed: Application, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = {"FifoQueue": "true"}
    urls = [deployed.sqs.create_queue(QueueName=f"{name}.fifo", Attributes=fifo)["QueueUrl"] for name in ("in", "dead")]
    deployed.add("team_events/ordered")
    ordered = deployed.subscribers["team_events/ordered"]
    object.__setattr__(ordered, "inbox_url", urls[0])
    object.__setattr__(ordered, "dead_letter_url", urls[1])
    for number in range(34):
        deployed.sqs.send_message(
            QueueUrl=urls[1], MessageBody=event(str(number)), MessageGroupId="g", MessageDeduplicationId=str(number)
        )
    listed = run("dlq", "list", "--subscriber", ordered.name)
    assert "24 dead letters of team_events/ordered cannot be seen yet" in listed.err
    for options, said in (
        (["--all"], "34 dead letters of"),
        (["--since", "1h"], "10 dead letters, and the matching ones of 24"),
    ):
        monkeypatch.setattr("sys.stdin", Terminal("n\n"))
        assert said in run("dlq", "purge", ordered.name, *options).err
    result = run("dlq", "redrive", ordered.name, "--all", "--yes", "--json", "--rate", "none")
    assert result.exit_code == 0
    assert [each["event_id"] for each in lines(result)] == [str(number) for number in range(34)]
    assert depth(deployed, ordered.name, "inbox_url") == 34


def test_a_message_dead_lettered_after_the_confirmation_is_not_deleted(
    deployed: Application, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = deployed.sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    deployed.add("team_events/ordered")
    object.__setattr__(deployed.subscribers["team_events/ordered"], "dead_letter_url", dead)

    def die(number: int, group: str) -> None:
        deployed.sqs.send_message(
            QueueUrl=dead, MessageBody=event(str(number)), MessageGroupId=group, MessageDeduplicationId=str(number)
        )

    for number in range(12):
        die(number, "g")
    count = DeadLetterQueue.depth
    monkeypatch.setattr(DeadLetterQueue, "depth", lambda queue: replace(count(queue), visible=count(queue).visible + 5))
    deleted: list[Any] = []

    def another_dies(**call: Any) -> None:
        if not deleted:
            die(99, "h")
        deleted.append(call)

    deployed.sqs.meta.events.register("before-call.sqs.DeleteMessageBatch", another_dies)
    result = run("dlq", "purge", "team_events/ordered", "--all", "--yes")
    assert "deleted 12, skipped 0, failed 0" in result.out
    [left] = deployed.sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(left["Body"])["id"] == "99"


def test_hundreds_of_dead_letters_are_listed_and_redriven(deployed: Application, run: Run) -> None:
    url = deployed.subscribers[A].dead_letter_url
    for first in range(0, 120, 10):
        entries = [{"Id": str(each), "MessageBody": event(str(first + each))} for each in range(10)]
        deployed.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    [row] = lines(run("dlq", "list", "--json"))
    assert row["dead_letters"] == 120
    assert depth(deployed, A) == 120
    result = run("dlq", "redrive", A, "--all", "--yes", "--rate", "none")
    assert "redriven 120, skipped 0, failed 0" in result.out
    assert depth(deployed, A, "inbox_url") == 120


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("team_events/team_c", "did you mean team_events/team_"),
        ("team_a", f"did you mean {A}?"),
        ("nonsense", f"Deployed: {A}, {B}."),
    ],
)
@pytest.mark.parametrize("command", ["show", "redrive", "purge", "list"])
def test_an_unknown_subscriber_is_wrong_usage_and_names_the_closest(
    deployed: Application, run: Run, command: str, name: str, said: str
) -> None:
    arguments = {"list": ["--subscriber", name], "show": [name]}.get(command, [name, "--all", "--yes"])
    result = run("dlq", command, *arguments)
    assert result.exit_code == 2
    assert said in result.err


def test_a_raw_body_with_an_envelope_beside_it_is_told_apart(deployed: Application, run: Run) -> None:
    envelope = notification(event("enveloped"))
    deployed.dead_letter(A, json.dumps(envelope))
    [found] = lines(run("dlq", "show", A, "--json"))
    assert (found["event_id"], found["put_there_by"]) == ("enveloped", "sns")
