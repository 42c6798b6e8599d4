"""Claim checks: whatever the reference says, and whatever lies where it leads."""

import gzip
import hashlib
import json
from typing import Any

import boto3
import pytest

from fanout import aws
from fanout.claim_check import MAX_BYTES, ClaimChecks
from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event, encode
from fanout.testing import REGION
from tests.adversarial import corpus
from tests.adversarial.test_subscribers import assert_bounded, neighbours
from tests.adversarial.world import CLAIMS, World, subjects

TEAM_A = next(subject for subject in subjects() if subject.name == "team_events/team_a")


def message(text: str = "hi", **changes: Any) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test", **changes)


def put(world: World, body: bytes, *, use_case: str = "team_events", digest: str | None = None) -> str:
    """Park bytes by hand; return their digest."""
    name = digest or hashlib.sha256(body).hexdigest()
    world.s3.put_object(Bucket=CLAIMS, Key=f"{use_case}/{name}", Body=body)
    return name


def stub(digest: str, **changes: Any) -> str:
    """A body that says that its event lies under that digest."""
    told = {"specversion": "1.0", "id": "e-1", "source": "urn:test", "type": "team.message.posted.v1", "data": {}}
    return json.dumps({**told, "claimcheck": digest, **changes})


def told(world: World, *bodies: str) -> list[tuple[str, str]]:
    """(outcome, reason) of stubs that come between two good events."""
    first, last = neighbours(TEAM_A)
    answer = world.call(TEAM_A, [TEAM_A.record(body) for body in (first, *bodies, last)])
    outcomes = answer.outcomes()
    assert [outcomes[0][0], outcomes[-1][0]] == ["processed", "processed"]
    assert answer.failed == []
    assert_bounded(answer, len(bodies) + 2)
    return outcomes[1:-1]


WHOLE = encode(message(id="e-1"))
LIES: dict[str, tuple[bytes, str]] = {
    "another event": (encode(message(id="other")), "claim-check-mismatch: "),
    "an event of another type": (
        WHOLE.replace(b"team.message.posted.v1", b"order.placed.v1"),
        "claim-check-mismatch: ",
    ),
    "an event of another source": (WHOLE.replace(b"urn:test", b"urn:else"), "claim-check-mismatch: "),
    "nothing": (b"", "claim-check-invalid: "),
    "no event": (b"{}", "claim-check-invalid: "),
    "gzip": (gzip.compress(WHOLE), "claim-check-invalid: "),
    "a bomb": (b"[" * corpus.DEEP, "claim-check-invalid: "),
    "bytes": (bytes(range(256)), "claim-check-invalid: "),
    "two events": (WHOLE + WHOLE, "claim-check-invalid: "),
    "data that breaks the contract": (WHOLE.replace(b'"hi"', b"5"), "invalid-event: "),
    "half a surrogate pair": (WHOLE.replace(b'"hi"', b'"\\ud800"'), "claim-check-invalid: "),
}


@pytest.mark.parametrize(("parked", "reason"), LIES.values(), ids=LIES)
def test_what_lies_under_a_claim_check_and_is_not_the_event_is_rejected(
    world: World, parked: bytes, reason: str
) -> None:
    [(outcome, said)] = told(world, stub(put(world, parked)))
    assert outcome == "rejected"
    assert said.startswith(reason)


def test_a_claim_check_leads_nowhere_but_into_the_use_cases_own_folder_of_the_one_bucket(world: World) -> None:
    digest = put(world, WHOLE, use_case="order_workflow")
    world.s3.create_bucket(Bucket="foreign")
    world.s3.put_object(Bucket="foreign", Key=f"team_events/{digest}", Body=WHOLE)
    asked: list[tuple[str, str]] = []
    aws.client("s3").meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: asked.append((params["Bucket"], params["Key"]))
    )
    references = [
        digest,
        f"../order_workflow/{digest}",
        f"order_workflow/{digest}",
        f"..%2forder_workflow%2f{digest}",
        f"s3://foreign/team_events/{digest}",
        f"/order_workflow/{digest}",
        f"{digest}\n",
        f"{digest}\x00",
        digest.upper(),
    ]
    outcomes = told(world, *map(stub, references))
    assert [outcome for outcome, _ in outcomes] == ["rejected"] * len(references)
    assert outcomes[0][1].startswith("claim-check-missing: ")
    assert all(reason.startswith("invalid-event: ") for _, reason in outcomes[1:])
    assert asked == [(CLAIMS, f"team_events/{digest}")], "S3 was asked for nothing else"


def test_an_object_that_was_replaced_after_publishing_is_rejected(world: World) -> None:
    digest = put(world, WHOLE)
    put(world, WHOLE.replace(b'"hi"', b'"no"'), digest=digest)
    assert [reason.partition(":")[0] for _, reason in told(world, stub(digest))] == ["claim-check-altered"]


def test_a_huge_object_is_rejected_by_its_size_and_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is enough; S3 keeps the bytes."""
    body = b" " * (MAX_BYTES + 1)
    read: list[int] = []
    monkeypatch.setattr(
        "botocore.response.StreamingBody.read", lambda self, amount=None: read.append(1) or b"", raising=True
    )
    [(outcome, reason)] = told(world, stub(put(world, body)))
    assert outcome == "rejected"
    assert reason.startswith("claim-check-too-large: ")
    assert not read


def test_a_claim_check_on_a_whole_event_decides_what_its_data_is(world: World) -> None:
    """The data beside it is what filters read; a forged one lets nothing else through."""
    digest = put(world, WHOLE)
    [(outcome, _)] = told(world, stub(digest, data={"audience": ["team_b"], "text": "forged"}))
    assert outcome == "processed"
    items = world.dynamodb.scan(TableName="store")["Items"]
    assert "forged" not in str(items)


def test_a_claim_check_in_what_is_parked_is_not_followed_any_further(world: World) -> None:
    parked = json.dumps({**json.loads(WHOLE), "claimcheck": corpus.DIGEST}).encode()
    assert told(world, stub(put(world, parked))) == [("processed", "")]


def test_while_s3_refuses_an_event_is_retried_because_that_can_be_mended(world: World) -> None:
    boto3.client("s3", region_name=REGION).delete_bucket(Bucket=CLAIMS)
    first = neighbours(TEAM_A)[0]
    records = [TEAM_A.record(stub(corpus.DIGEST)), TEAM_A.record(first)]
    records[0]["receiptHandle"] = _received(world)
    outcomes = world.call(TEAM_A, records).outcomes()
    assert [outcome for outcome, _ in outcomes] == ["retrying", "processed"]
    assert "NoSuchBucket" in outcomes[0][1]


def _received(world: World) -> str:
    """The handle of a message that is in the inbox: to be retried, it is hidden there."""
    world.sqs.send_message(QueueUrl=world.inbox, MessageBody="x")
    handle: str = world.sqs.receive_message(QueueUrl=world.inbox)["Messages"][0]["ReceiptHandle"]
    return handle


def test_nothing_is_stored_that_could_not_be_retrieved(world: World) -> None:
    with pytest.raises(ValueError, match="a claim check takes"):
        ClaimChecks(CLAIMS, "team_events").store(message("x" * MAX_BYTES))
    assert "Contents" not in world.s3.list_objects_v2(Bucket=CLAIMS)
