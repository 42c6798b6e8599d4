"""user_interactions on the engine: every interaction reaches whom it is for, and can be read back."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fanout.contracts.user_interactions import PostCommented, PostLiked, PostShared, PostUnliked
from fanout.event import Event, encode
from fanout.identity import new_id
from tests.integration.application import ROOT, Application
from tests.integration.faults.crash_injection import struck, wait_for_strike
from tests.interactions import comment, like, share, unlike
from tests.waiting import until

LIKES, SHARES, COMMENTS = (f"user_interactions/{name}" for name in ("likes", "shares", "comments"))
RECEIVER = {PostLiked: LIKES, PostUnliked: LIKES, PostShared: SHARES, PostCommented: COMMENTS}


def ask(application: Application, function: str, **request: Any) -> dict[str, Any]:
    """Invoke `posts` or `review` as a page or a moderation tool does."""
    stacks = application.client("cloudformation").describe_stacks(StackName=application.stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    answer = application.client("lambda").invoke(
        FunctionName=outputs[f"{function.title()}FunctionArn"], Payload=json.dumps(request).encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found


def totals(application: Application, post_id: str) -> dict[str, int]:
    found: dict[str, int] = ask(application, "posts", action="totals", post_id=post_id)["totals"]
    return found


def outcomes(application: Application, event_id: str) -> dict[str, str]:
    """The outcome of an event at its subscribers; `filtered` at every other one."""
    found = application.outcomes(event_id)
    assert set(found) == {LIKES, SHARES, COMMENTS}
    return {name: outcome for name, outcome in found.items() if outcome != "filtered"}


def settled(application: Application, *events: Event[Any]) -> None:
    """Publish events and wait until each has reached the one subscriber it is for."""
    application.publish("UserInteractions", events)
    for event in events:
        assert outcomes(application, event.id) == {RECEIVER[type(event.data)]: "processed"}


def test_each_interaction_reaches_its_own_subscriber_and_no_other(application: Application) -> None:
    post = f"p-{new_id()}"
    settled(application, like("ada", post), like("bob", post), unlike("cy", post))
    settled(application, share("ada", post, channel="mail"), comment("Lovely! 👩‍🚀", "bob", post))
    assert totals(application, post) == {"likes": 2, "shares": 1, "comments": 1, "channel:mail": 1}
    [found] = ask(application, "posts", action="comments", post_id=post)["comments"]
    assert (found["text"], found["user_id"]) == ("Lovely! 👩‍🚀", "bob")
    ranked = ask(application, "posts", action="trending", minutes=60, limit=100)["posts"]
    assert {"post_id": post, "score": 2 * 1 + 5 + 3} in ranked


def test_an_event_published_with_the_aws_cli_and_no_attributes_is_counted(application: Application) -> None:
    event = like(post=f"p-{new_id()}")
    subprocess.run(
        ["aws", "sns", "publish", "--topic-arn", application.topic("UserInteractions"), "--message", encode(event)],
        env=application.environment(),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert outcomes(application, event.id) == {LIKES: "processed"}
    assert totals(application, event.data.post_id)["likes"] == 1


def test_events_published_three_times_count_once(application: Application) -> None:
    post = f"p-{new_id()}"
    events = {LIKES: like(post=post), SHARES: share(post=post), COMMENTS: comment(post=post)}
    application.publish("UserInteractions", [*events.values()] * 3)
    for name, event in events.items():
        until(
            lambda name=name, event=event: len(application.receipts(name, [event.id])) == 3,  # type: ignore[misc]
            f"three receipts of {name}",
            seconds=30,
        )
        found = Counter(receipt.outcome for receipt in application.receipts(name, [event.id]))
        assert found == {"processed": 1, "duplicate": 2}
    assert totals(application, post) == {"likes": 1, "shares": 1, "comments": 1, "channel:link": 1}


def test_an_invalid_event_between_valid_ones_is_dead_lettered_with_its_reason_and_affects_no_other(
    application: Application,
) -> None:
    post, poison = f"p-{new_id()}", new_id()
    good = [like(f"u-{number}", post) for number in range(6)]
    body = json.loads(encode(like(post=post)))
    application.publish("UserInteractions", good[:3])
    application.publish_text(
        "UserInteractions", json.dumps({**body, "id": poison, "data": {**body["data"], "user_id": 7}})
    )
    application.publish("UserInteractions", good[3:])
    assert outcomes(application, poison) == {LIKES: "rejected"}
    for event in good:
        assert outcomes(application, event.id) == {LIKES: "processed"}
    [dead_letter] = [each for each in application.dead_letters(LIKES) if each.get("event_id") == poison]
    assert "$.data.user_id" in dead_letter["reason"]
    assert totals(application, post)["likes"] == 6


def test_a_comment_with_a_blocked_word_waits_until_a_moderator_has_decided(application: Application) -> None:
    post = f"p-{new_id()}"
    parameter = application.subscriber(COMMENTS).environment["BLOCKED_WORDS_PARAMETER"]
    words = application.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    word = words.split(",")[0]
    spam, fine = comment(f"A {word.upper()}!", post=post), comment("Lovely!", post=post, at=1)
    settled(application, spam, fine)
    assert totals(application, post)["comments"] == 1
    waiting = ask(application, "review", action="list", limit=100)["comments"]
    [held] = [each for each in waiting if each["comment_id"] == spam.id]
    assert held["words"] == [word]
    assert ask(application, "review", action="approve", entry=held["entry"]) == {"ok": True, "decided": True}
    assert totals(application, post)["comments"] == 2
    shown = ask(application, "posts", action="comments", post_id=post)["comments"]
    assert [each["comment_id"] for each in shown] == [fine.id, spam.id]


@pytest.mark.parametrize("at", ["before TransactWriteItems", "after TransactWriteItems", "before acknowledgement"])
@pytest.mark.parametrize("make", [like, share])
def test_a_function_killed_at_work_counts_once(application: Application, tmp_path: Path, make: Any, at: str) -> None:
    event = make(post=f"p-{new_id()}")
    name = RECEIVER[type(event.data)]
    with struck(application, name, at, tmp_path):
        application.publish("UserInteractions", [event])
        wait_for_strike(tmp_path)
        assert outcomes(application, event.id)[name] in {"processed", "duplicate"}
        found = totals(application, event.data.post_id)
        assert found["likes"] + found["shares"] == 1
