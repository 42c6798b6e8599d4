"""`fanout.aws_calls` against botocore: the same requests, results, exceptions and retries."""

import http.client
import io
import json
import re
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import boto3
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.loaders import Loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout import aws, aws_calls, aws_http, aws_protocols
from fanout.aws_http import Connections, Endpoint
from fanout.aws_operations import ERRORS, MESSAGE_MEMBERS, OPERATIONS, Fields
from fanout.aws_signing import endpoint_url
from tests.sink import Call, Reply, Sink, sink
from tests.waiting import until

ROOT = Path(__file__).parents[3]
TABLE = {"TableName": "table"}
ITEM = {
    "pk": {"S": "é\U0001f600"},
    "sk": {"N": "1.5"},
    "blob": {"B": b"\x00\xff"},
    "all": {"L": [{"BS": [b"1"]}, {"NULL": True}]},
}
ATTRIBUTES = {
    "kind": {"DataType": "String", "StringValue": "a&b=c +é"},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00"},
}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "put_item", {**TABLE, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
    (
        "dynamodb",
        "update_item",
        {**TABLE, "Key": ITEM, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": ITEM},
    ),
    ("dynamodb", "delete_item", {**TABLE, "Key": ITEM, "ReturnValues": "ALL_OLD"}),
    ("dynamodb", "get_item", {**TABLE, "Key": ITEM, "ConsistentRead": True}),
    (
        "dynamodb",
        "transact_write_items",
        {"TransactItems": [{"Put": {**TABLE, "Item": ITEM}}, {"Delete": {**TABLE, "Key": ITEM}}]},
    ),
    (
        "sqs",
        "send_message",
        {"QueueUrl": "q", "MessageBody": 'é\n"', "DelaySeconds": 3, "MessageAttributes": ATTRIBUTES},
    ),
    (
        "sqs",
        "send_message_batch",
        {"QueueUrl": "q", "Entries": [{"Id": "1", "MessageBody": "b", "MessageAttributes": ATTRIBUTES}]},
    ),
    ("sqs", "change_message_visibility", {"QueueUrl": "q", "ReceiptHandle": "r", "VisibilityTimeout": 0}),
    ("sqs", "change_message_visibility_batch", {"QueueUrl": "q", "Entries": [{"Id": "1", "ReceiptHandle": "r"}]}),
    (
        "sns",
        "publish_batch",
        {
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:t.fifo",
            "PublishBatchRequestEntries": [
                {"Id": "1", "Message": '{"a": "é & ü = ~ \\n +%"}', "MessageAttributes": ATTRIBUTES, "Subject": "s"},
                {"Id": "2", "Message": "", "MessageGroupId": "g", "MessageDeduplicationId": "d"},
            ],
        },
    ),
    ("sns", "publish_batch", {"TopicArn": "t", "PublishBatchRequestEntries": []}),
]
NAMES = [name for _, name, _ in CALLS]
PUBLISHED = """<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>
<Failed>{failed}</Failed><Successful>{successful}</Successful></PublishBatchResult>
<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishBatchResponse>"""


def lean(service: str) -> aws_calls.Client:
    """A client of `fanout.aws_calls`; it is one, whatever the environment says."""
    made = aws_calls.make(service, lambda: stock(service), connect_timeout=0.5, read_timeout=0.5, attempts=3)
    assert made is not None
    return made


def stock(service: str) -> Any:
    """boto3's client with the configuration of `fanout.aws`."""
    retries: Any = {"mode": "standard", "total_max_attempts": 3}
    config = Config(connect_timeout=0.5, read_timeout=0.5, retries=retries)
    return boto3.session.Session().client(service, config=config)


@pytest.fixture
def server(endpoint: Callable[[str], None]) -> Iterator[Sink]:
    with sink() as made:
        endpoint(made.url)
        yield made


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the clients would have waited before their retries."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def outcome(client: Any, name: str, parameters: dict[str, Any]) -> tuple[str, Any, str]:
    """What a call comes to: the class of what it raises, the response, the message."""
    try:
        response = getattr(client, name)(**parameters)
    except Exception as error:
        return type(error).__name__, without_date(getattr(error, "response", None)), str(error)
    return "", without_date(response), ""


def without_date(response: Any) -> Any:
    for name in ("date", "server"):
        (response or {}).get("ResponseMetadata", {}).get("HTTPHeaders", {}).pop(name, None)
    return response


# --- requests --------------------------------------------------------------------------------------------------------


def content(call: Call) -> Any:
    """A request's body, whatever its order or escapes."""
    if isinstance(call.document, bytes):
        return dict(parse_qsl(call.document.decode(), keep_blank_values=True))
    return {name: value for name, value in call.document.items() if name != "ClientRequestToken"}


@pytest.mark.parametrize(("service", "name", "parameters"), CALLS, ids=[f"{n}-{i}" for i, n in enumerate(NAMES)])
def test_a_request_is_the_one_that_botocore_sends(
    server: Sink, monkeypatch: pytest.MonkeyPatch, service: str, name: str, parameters: dict[str, Any]
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token==")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;é")
    reply = Reply(body=PUBLISHED.format(failed="", successful="").encode() if service == "sns" else b"{}")
    server.replies = [reply, reply]
    getattr(lean(service), name)(**parameters)
    getattr(stock(service), name)(**parameters)
    ours, theirs = server.calls
    assert (ours.path, content(ours)) == (theirs.path, content(theirs))
    free = {
        "user-agent",
        "authorization",
        "x-amz-date",
        "content-length",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
    }
    assert {n: v for n, v in ours.headers.items() if n not in free} == {
        n: v for n, v in theirs.headers.items() if n not in free
    }
    if name == "transact_write_items":
        assert re.fullmatch(r"[0-9a-f-]{36}", ours.document["ClientRequestToken"])


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=200),
    token=st.none() | st.text("abc=/+", min_size=1, max_size=20),
    region=st.sampled_from(["us-east-1", "cn-north-1"]),
    path=st.sampled_from(["/", "/engine/"]),
    moment=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2037, 1, 1)),  # noqa: DTZ001 - strategies want it
)
def test_a_signature_is_the_one_that_botocore_makes(
    body: bytes, token: str | None, region: str, path: str, moment: datetime
) -> None:
    endpoint = Endpoint.parse(f"http://127.0.0.1:4566{path}")
    assert endpoint
    signer = aws_calls.Signer("sqs", region, endpoint.authority, endpoint.path)
    signer.skew = moment.replace(tzinfo=UTC).timestamp() - time.time()
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"}
    made = signer.sign(headers, body, aws_calls.Credentials("key", "secret", token))
    request = AWSRequest("POST", endpoint.url, {n: v for n, v in made.items() if n != "authorization"}, body)
    theirs = SigV4Auth(Credentials("key", "secret", token), "sqs", region)
    request.context["timestamp"] = made["x-amz-date"]
    request.headers.add_header("host", endpoint.authority)
    signature = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)
    assert made["authorization"].endswith(f"Signature={signature}")
    assert f"SignedHeaders={theirs.signed_headers(theirs.headers_to_sign(request))}," in made["authorization"]
    assert abs((datetime.strptime(made["x-amz-date"], "%Y%m%dT%H%M%SZ") - moment).total_seconds()) < 30  # noqa: DTZ007


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("%+ &=25é~"))
def test_a_forms_value_is_quoted_as_urllib_quotes_it(text: str) -> None:
    assert aws_protocols._quote(text).decode() == quote_plus(text)


def test_half_of_a_surrogate_pair_is_sent_as_botocore_sends_it(server: Sink) -> None:
    for client in (lean("dynamodb"), stock("dynamodb")):
        server.replies = [Reply(body=b"{}")]
        client.get_item(TableName="table", Key={"pk": {"S": "\ud800"}, "b": {"B": b"1"}})
    assert server.calls[0].document == server.calls[1].document


def test_each_parameter_is_one_of_botocores_model() -> None:
    loader = Loader()

    def described(model: Any, shape: Any, fields: Fields) -> None:
        while shape["type"] == "list":
            shape = model["shapes"][shape["member"]["shape"]]
        if shape["type"] == "map":
            assert set(fields) == {"*"}
            inner = fields["*"]
            assert inner is not None
            described(model, model["shapes"][shape["value"]["shape"]], inner)
            return
        members = shape["members"]
        assert set(fields) == set(members)
        for name, inner in fields.items():
            if inner is not None:
                described(model, model["shapes"][members[name]["shape"]], inner)

    for service, operations in OPERATIONS.items():
        model = loader.load_service_model(service, "service-2")
        codes: dict[str, str] = {}
        for operation in operations.values():
            entry = model["operations"][operation.name]
            described(model, model["shapes"][entry["input"]["shape"]], operation.fields)
        for name, shape in model["shapes"].items():
            if shape.get("exception"):
                codes[shape.get("error", {}).get("code", name)] = name
                if service != "sns":
                    members = [member for member in shape["members"] if member.lower() == "message"]
                    assert members == list(filter(None, [MESSAGE_MEMBERS.get(name, "message")]))
        assert ERRORS[service] == codes


@pytest.mark.parametrize(
    ("service", "name", "parameters"),
    [
        ("dynamodb", "put_item", {**TABLE, "Item": {}, "ConditionExpresion": "a"}),
        ("dynamodb", "transact_write_items", {"TransactItems": [{"Put": {**TABLE, "Item": {}, "Condition": "a"}}]}),
        ("dynamodb", "batch_write_item", {"RequestItems": {"table": [{"PutRequest": {"Body": {}}}]}}),
        ("sqs", "send_message_batch", {"QueueUrl": "q", "Entries": [{"Id": "1", "Body": "b"}]}),
        ("sns", "publish_batch", {"TopicArn": "t", "PublishBatchRequestEntries": [{"Id": "1", "Text": "b"}]}),
    ],
)
def test_a_misspelt_parameter_is_refused_before_anything_is_sent(
    server: Sink, service: str, name: str, parameters: dict[str, Any]
) -> None:
    for client in (lean(service), stock(service)):
        with pytest.raises(ParamValidationError, match=r"ConditionExpresion|Condition|Body|Text"):
            getattr(client, name)(**parameters)
    assert server.calls == []


@pytest.mark.parametrize(
    "value",
    [
        {"S": 5},
        {"N": 5},
        {"B": 7},
        {"BS": [b"1", None]},
        {"M": "no map"},
        {"L": [{"M": {"a": {"S": b"1"}}}]},
        {"X": "1"},
        "S",
        None,
    ],
    ids=str,
)
def test_a_value_of_a_wrong_type_is_refused_before_anything_is_sent(server: Sink, value: Any) -> None:
    item = {"pk": value}
    for client in (lean("dynamodb"), stock("dynamodb")):
        for name, parameters in (
            ("put_item", {**TABLE, "Item": item}),
            ("update_item", {**TABLE, "Key": {}, "ExpressionAttributeValues": item}),
            ("transact_write_items", {"TransactItems": [{"Delete": {**TABLE, "Key": item}}]}),
            ("batch_write_item", {"RequestItems": {"t": [{"PutRequest": {"Item": item}}]}}),
            ("batch_get_item", {"RequestItems": {"t": {"Keys": [item]}}}),
            ("query", {**TABLE, "ExclusiveStartKey": item}),
        ):
            with pytest.raises(ParamValidationError):
                getattr(client, name)(**parameters)
    assert server.calls == []


# --- answers ---------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
BLOBS = st.binary(max_size=10).map(lambda value: b64encode(value).decode())
VALUES = st.recursive(
    st.fixed_dictionaries({"S": TEXTS})
    | st.fixed_dictionaries({"N": st.integers().map(str)})
    | st.fixed_dictionaries({"B": BLOBS})
    | st.fixed_dictionaries({"SS": st.lists(TEXTS, max_size=3)})
    | st.fixed_dictionaries({"NS": st.lists(st.integers().map(str), max_size=3)})
    | st.fixed_dictionaries({"BS": st.lists(BLOBS, max_size=3)})
    | st.fixed_dictionaries({"NULL": st.booleans()})
    | st.fixed_dictionaries({"BOOL": st.booleans()}),
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(TEXTS, inner, max_size=3)})
    ),
    max_leaves=8,
)


class _Canned:
    """Both clients, whose transports answer what the test says: no connections, thousands of examples."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reply = Reply()
        monkeypatch.setattr(Connections, "post", lambda *_: self._response())
        self.clients = {service: (lean(service), self._hooked(service)) for service in OPERATIONS}

    def _response(self) -> aws_http.Response:
        headers = {name.lower(): value for name, value in self.reply.headers.items()}
        return aws_http.Response(self.reply.status, headers, self.reply.body)

    def _hooked(self, service: str) -> Any:
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415

        client = stock(service)

        def send(**_: Any) -> AWSResponse:
            raw: Any = io.BytesIO(self.reply.body)
            raw.stream = lambda: iter([self.reply.body])
            return AWSResponse("http://x", self.reply.status, dict(self.reply.headers), raw)

        client.meta.events.register("before-send", send)
        return client

    def assert_same(self, reply: Reply, service: str, name: str, parameters: dict[str, Any]) -> tuple[str, Any, str]:
        self.reply = reply
        ours, theirs = (outcome(client, name, dict(parameters)) for client in self.clients[service])
        assert ours == theirs
        return ours


@pytest.fixture
def canned(endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> _Canned:
    endpoint("http://127.0.0.1:1")
    return _Canned(monkeypatch)


EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EXAMPLES
@given(
    item=st.dictionaries(TEXTS, VALUES, max_size=4), extra=st.dictionaries(st.sampled_from(["New", "__type"]), TEXTS)
)
def test_an_item_is_what_botocore_makes_of_it(canned: _Canned, item: Any, extra: Any) -> None:
    for name, part in (("get_item", "Item"), ("update_item", "Attributes")):
        body = json.dumps({part: item, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}, **extra}).encode()
        headers = {"x-amzn-RequestId": "R", "x-amz-crc32": str(zlib.crc32(body)), "X-Other": "1"}
        raised, answer, _ = canned.assert_same(Reply(200, headers, body), "dynamodb", name, {**TABLE, "Key": {}})
        assert raised == ""
        assert answer["ResponseMetadata"]["RequestId"] == "R"


@EXAMPLES
@given(
    items=st.lists(st.dictionaries(TEXTS, VALUES, max_size=2), max_size=2),
    key=st.dictionaries(TEXTS, VALUES, max_size=1),
)
def test_items_are_what_botocore_makes_of_them(canned: _Canned, items: Any, key: Any) -> None:
    answers = {
        "query": {"Items": items, "Count": 2, "ScannedCount": 3, "LastEvaluatedKey": key},
        "batch_get_item": {
            "Responses": {"t": items},
            "UnprocessedKeys": {"t": {"Keys": items, "ConsistentRead": True}},
        },
        "batch_write_item": {
            "UnprocessedItems": {
                "t": [{"PutRequest": {"Item": item}} for item in items] + [{"DeleteRequest": {"Key": key}}]
            }
        },
    }
    for (_, name, parameters), answer in ((call, answers[call[1]]) for call in CALLS if call[1] in answers):
        canned.assert_same(Reply(body=json.dumps(answer).encode()), "dynamodb", name, parameters)


def test_a_query_is_paged_through_as_by_botocore(server: Sink) -> None:
    found = []
    for client in (lean("dynamodb"), stock("dynamodb")):
        pages = [
            {"Items": [{"pk": {"S": "1"}}], "LastEvaluatedKey": {"pk": {"B": "AA=="}}},
            {"Items": [], "LastEvaluatedKey": {}},
        ]
        server.replies, server.calls[:] = [Reply(body=json.dumps(page).encode()) for page in pages], []
        answers = [page["Items"] for page in client.get_paginator("query").paginate(TableName="t", Limit=1)]
        found.append((answers, [call.document for call in server.calls]))
    assert found[0] == found[1]
    assert lean("dynamodb").get_paginator("scan").paginate


@pytest.mark.parametrize("body", [b"{}", b"", b'{"Item": {}}'])
def test_an_empty_answer_is_what_botocore_makes_of_it(canned: _Canned, body: bytes) -> None:
    canned.assert_same(Reply(body=body), "dynamodb", "get_item", {**TABLE, "Key": {}})


@EXAMPLES
@given(ids=st.lists(TEXTS, max_size=3), message=TEXTS, fault=st.booleans())
def test_a_batchs_answer_is_what_botocore_makes_of_it(
    canned: _Canned, ids: list[str], message: str, fault: bool
) -> None:
    failed = [{"Id": name, "Code": "C", "Message": message, "SenderFault": fault} for name in ids]
    body = json.dumps({"Successful": [{"Id": name, "MessageId": "m"} for name in ids], "Failed": failed}).encode()
    canned.assert_same(Reply(body=body), "sqs", "send_message_batch", {"QueueUrl": "q", "Entries": []})


XML_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)


@EXAMPLES
@given(ids=st.lists(XML_TEXTS, max_size=3), message=XML_TEXTS, fault=st.sampled_from(["true", "false"]))
def test_the_xml_of_a_batch_is_what_botocore_makes_of_it(
    canned: _Canned, ids: list[str], message: str, fault: str
) -> None:
    from xml.sax.saxutils import escape  # noqa: PLC0415

    failed = "".join(
        f"<member><Id>{escape(n)}</Id><Code>C</Code><Message>{escape(message)}</Message><SenderFault>{fault}</SenderFault></member>"
        for n in ids
    )
    successful = "".join(
        f"<member><MessageId>m</MessageId><Id>{escape(n)}</Id><SequenceNumber>7</SequenceNumber></member>" for n in ids
    )
    body = PUBLISHED.format(failed=failed, successful=successful).encode()
    parameters = {"TopicArn": "t", "PublishBatchRequestEntries": []}
    raised, answer, _ = canned.assert_same(
        Reply(headers={"x-amzn-requestid": "r-1"}, body=body), "sns", "publish_batch", parameters
    )
    assert raised == ""
    assert answer["ResponseMetadata"]["RequestId"] == "r-1"


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("sns", b"no xml"),
        ("sns", b"<PublishBatchResponse/>"),
        ("dynamodb", b'{"Item": {"pk": {"S": 1}}}'),
        ("dynamodb", b"<html>"),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error(canned: _Canned, service: str, body: bytes) -> None:
    name, parameters = {
        "sns": ("publish_batch", {"TopicArn": "t", "PublishBatchRequestEntries": []}),
        "dynamodb": ("get_item", {**TABLE, "Key": {}}),
    }[service]
    canned.reply = Reply(body=body)
    assert outcome(canned.clients[service][0], name, parameters)[0] == "ResponseParserError"


# --- errors ----------------------------------------------------------------------------------------------------------

JSON_ERROR = "com.amazonaws.dynamodb.v20120810#"
REASONS = [
    {"Code": "ConditionalCheckFailed", "Message": "m", "Item": {"b": {"B": "AA=="}}},
    {"Code": "None"},
    {"Code": "TransactionConflict", "Message": "busy"},
]
XML_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>a &amp; b</Message></Error>"
    "<RequestId>r-2</RequestId></ErrorResponse>"
)


def refusal(code: str, *, status: int = 400, prefix: str = JSON_ERROR, query: str = "", **members: Any) -> Reply:
    headers = {"x-amzn-query-error": query} if query else {}
    return Reply(status, headers, json.dumps({"__type": prefix + code, **members}).encode())


REFUSALS: list[tuple[str, Reply]] = [
    ("dynamodb", refusal("ConditionalCheckFailedException", message="no", Item={"b": {"B": "AA=="}})),
    ("dynamodb", refusal("TransactionCanceledException", Message="no", CancellationReasons=REASONS)),
    ("dynamodb", refusal("ValidationException", prefix="com.amazon.coral.validate#", message="wrong")),
    ("dynamodb", refusal("SerializationException", prefix="com.amazon.coral.service#")),
    ("dynamodb", refusal("ResourceNotFoundException:http://x", message="no table")),
    ("dynamodb", refusal("ProvisionedThroughputExceededException", message="slow")),
    ("dynamodb", refusal("ReplicatedWriteConflictException", message="slow")),
    ("dynamodb", refusal("TransactionInProgressException", Message="slow")),
    ("dynamodb", refusal("InternalServerError", status=500, message="oh")),
    ("dynamodb", Reply(503, body=b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>")),
    ("dynamodb", Reply(500, body=b"")),
    ("dynamodb", Reply(403, body=b"not json")),
    ("dynamodb", Reply(400, {"x-amzn-RequestId": "R"}, b"{}")),
    ("dynamodb", Reply(413, body=b"")),
    (
        "sqs",
        refusal(
            "QueueDoesNotExist",
            prefix="com.amazonaws.sqs#",
            query="AWS.SimpleQueueService.NonExistentQueue;Sender",
            message="no",
        ),
    ),
    ("sqs", refusal("ReceiptHandleIsInvalid", prefix="com.amazonaws.sqs#", message="no")),
    (
        "sqs",
        refusal(
            "InvalidParameterValueException", prefix="com.amazon.coral.service#", query="InvalidParameterValue;Sender"
        ),
    ),
    ("sqs", refusal("OverLimit", prefix="com.amazonaws.sqs#", query="broken")),
    ("sqs", refusal("RequestThrottled", prefix="com.amazonaws.sqs#", query="RequestThrottled;Sender", message="slow")),
    ("sns", Reply(404, body=XML_ERROR.format("NotFound").encode())),
    ("sns", Reply(400, body=XML_ERROR.format("ParameterValueInvalid").encode())),
    ("sns", Reply(400, body=XML_ERROR.format("InvalidClientTokenId").encode())),
    ("sns", Reply(400, body=XML_ERROR.format("Throttling").encode())),
    ("sns", Reply(429, body=XML_ERROR.format("Throttled").encode())),
    ("sns", Reply(500, body=XML_ERROR.format("InternalError").encode())),
    ("sns", Reply(503, body=b"")),
]


@pytest.mark.parametrize(("service", "reply"), REFUSALS, ids=[f"{s}-{n}" for n, (s, _) in enumerate(REFUSALS)])
def test_an_error_is_the_one_that_botocore_raises(canned: _Canned, service: str, reply: Reply) -> None:
    name, parameters = {
        "dynamodb": ("put_item", {**TABLE, "Item": {}}),
        "sqs": ("change_message_visibility", {"QueueUrl": "q", "ReceiptHandle": "r", "VisibilityTimeout": 1}),
        "sns": ("publish_batch", {"TopicArn": "t", "PublishBatchRequestEntries": []}),
    }[service]
    raised, response, _ = canned.assert_same(reply, service, name, parameters)
    assert raised
    assert response["Error"]["Code"]
    assert isinstance(response["ResponseMetadata"]["RetryAttempts"], int)


def test_errors_have_the_classes_that_a_handler_may_name(canned: _Canned) -> None:
    canned.reply = REFUSALS[0][1]
    client = canned.clients["dynamodb"][0]
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
        client.put_item(TableName="t", Item={})
    assert isinstance(caught.value, ClientError)
    assert aws.error_code(caught.value) == "ConditionalCheckFailedException"
    assert client.exceptions.ClientError is ClientError
    with pytest.raises(AttributeError, match="has no exception Nothing"):
        _ = client.exceptions.Nothing


# --- retries ---------------------------------------------------------------------------------------------------------

THROTTLED = refusal("ThrottlingException", message="slow")
SERIES = {
    "throttled once": [THROTTLED, Reply(body=b"{}")],
    "throttled twice, then down": [THROTTLED, THROTTLED, Reply(500, body=b"")],
    "down twice": [Reply(503, body=b""), Reply(502, body=b""), Reply(body=b"{}")],
    "hangs up once": [Reply(0), Reply(body=b"{}")],
    "hangs up": [Reply(0)] * 3,
    "refused": [Reply(400, body=json.dumps({"__type": "ValidationException"}).encode())],
    "a wrong checksum once": [Reply(200, {"x-amz-crc32": "1"}, b"{}"), Reply(body=b"{}")],
}


@pytest.mark.parametrize("replies", SERIES.values(), ids=SERIES)
def test_retries_are_those_of_botocore(server: Sink, pauses: list[float], replies: list[Reply]) -> None:
    found = []
    for client in (lean("dynamodb"), stock("dynamodb")):
        server.replies, pauses[:], server.calls[:] = list(replies), [], []
        result = outcome(client, "transact_write_items", {"TransactItems": [{"Put": {**TABLE, "Item": {}}}]})
        tokens = {call.document["ClientRequestToken"] for call in server.calls}
        found.append((result[:2], len(server.calls), len(pauses), len(tokens)))
        assert len(tokens) == 1, "a retry is another transaction"
        assert all(0 <= pause <= 2**number for number, pause in enumerate(pauses))
    assert found[0] == found[1]


def test_a_wait_doubles_up_to_20_seconds_and_has_jitter(
    server: Sink, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanout.aws_calls.random.random", lambda: 0.5)
    made = aws_calls.make("dynamodb", dict, connect_timeout=1, read_timeout=1, attempts=8)
    assert made is not None
    server.replies = [Reply(503, body=b"")] * 8
    with pytest.raises(ClientError):
        made.get_item(TableName="t", Key={})
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize("reply", [THROTTLED, Reply(503, body=b""), Reply(0)], ids=["throttled", "down", "hangs up"])
def test_retries_end_when_the_quota_is_spent_and_begin_again_with_successes(
    server: Sink, pauses: list[float], reply: Reply
) -> None:
    counts = []
    for client in (lean("dynamodb"), stock("dynamodb")):
        server.calls[:] = []
        for _ in range(60):
            server.replies = [reply] * 3
            outcome(client, "get_item", {**TABLE, "Key": {}})
        spent = len(server.calls)
        for _ in range(5):  # each success gives one back, a retry costs five
            server.replies = [Reply(body=b"{}")]
            client.get_item(TableName="t", Key={})
        server.replies, server.calls[:] = [reply] * 3, []
        outcome(client, "get_item", {**TABLE, "Key": {}})
        counts.append((spent, len(server.calls)))
    assert counts == [(160, 2)] * 2


def test_the_quota_is_named_in_the_error(canned: _Canned) -> None:
    canned.reply = THROTTLED
    found = [
        [outcome(client, "get_item", {**TABLE, "Key": {}}) for _ in range(51)] for client in canned.clients["dynamodb"]
    ]
    assert found[0] == found[1]
    assert found[0][-1][1]["ResponseMetadata"]["RetryQuotaReached"] is True


def test_a_timeout_costs_twice_as_much_of_the_quota(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], server: Sink
) -> None:
    calls: list[None] = []
    error = ConnectTimeoutError(endpoint_url="x")

    def post(*_: Any) -> Any:
        calls.append(None)
        raise error

    monkeypatch.setattr(Connections, "post", post)
    client = lean("sqs")
    for _ in range(40):
        with pytest.raises(ConnectTimeoutError):
            client.send_message(QueueUrl="q", MessageBody="b")
    assert len(calls) == 40 + 50


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_wrong_clock_is_corrected_by_the_servers(server: Sink, minutes: int) -> None:
    there = datetime.now(UTC) + timedelta(minutes=minutes)
    refused = Reply(
        403, {"Date": format_datetime(there, usegmt=True)}, json.dumps({"__type": "InvalidSignatureException"}).encode()
    )
    server.replies = [refused, Reply(body=b"{}"), Reply(body=b"{}")]
    client = lean("dynamodb")
    with _date_of(server, there):
        assert client.get_item(TableName="t", Key={})["ResponseMetadata"]["HTTPStatusCode"] == 200
    client.get_item(TableName="t", Key={})
    for call in server.calls[1:]:
        sent = datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert abs(sent - there) < timedelta(seconds=60)


@contextmanager
def _date_of(server: Sink, moment: datetime) -> Iterator[None]:
    """http.server writes a Date of its own first: let it be this one."""
    from http.server import BaseHTTPRequestHandler  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        text = format_datetime(moment, usegmt=True)
        patch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: text)
        for reply in server.replies:
            if isinstance(reply.headers, dict):
                reply.headers.pop("Date", None)
        yield


@pytest.mark.parametrize("date", ["right", "yesterday", ""], ids=["right", "unreadable", "none"])
def test_a_wrong_signature_at_the_right_time_is_an_error(canned: _Canned, date: str) -> None:
    date = format_datetime(datetime.now(UTC), usegmt=True) if date == "right" else date
    body = json.dumps({"__type": "InvalidSignatureException", "message": "wrong key"}).encode()
    assert (
        canned.assert_same(Reply(403, {"date": date}, body), "dynamodb", "get_item", {**TABLE, "Key": {}})[0]
        == "ClientError"
    )


# --- connections -----------------------------------------------------------------------------------------------------


@contextmanager
def raw_server(
    *responses: bytes, close: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[int]]]:
    """A server that sends these bytes, one response for each request; the list counts connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[int] = []
    waiting = list(responses)

    def answer(connection: socket.socket) -> None:
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        stream = connection.makefile("rb")
        while waiting and stream.readline():
            length = 0
            while (line := stream.readline()) not in {b"\r\n", b""}:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            stream.read(length)
            connection.sendall(waiting.pop(0))
            if close:
                connection.shutdown(socket.SHUT_RDWR)
                return

    def answer_until_closed(connection: socket.socket) -> None:
        with suppress(OSError):  # the client has closed it, or does not trust the certificate
            answer(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(1)
            threading.Thread(target=answer_until_closed, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", connections
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def connections_to(url: str) -> Connections:
    endpoint = Endpoint.parse(url)
    assert endpoint
    return Connections(endpoint, connect_timeout=0.5, read_timeout=0.5)


HEADERS = st.dictionaries(
    st.sampled_from(["X-A", "x-b", "Content-Type"]), st.text("abc;=/ ", max_size=8).map(str.strip), max_size=3
)


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=300),
    headers=HEADERS,
    framing=st.sampled_from(["length", "chunked", "close"]),
    data=st.data(),
)
def test_a_response_is_what_http_client_reads(
    body: bytes, headers: dict[str, str], framing: str, data: st.DataObject
) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if framing == "length":
        whole = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    elif framing == "chunked":
        cut = data.draw(st.integers(0, len(body)))
        chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part)
        whole = (
            f"HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode()
            + chunks
            + b"0\r\nTrailer: x\r\n\r\n"
        )
    else:
        whole = f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body
    if data.draw(st.booleans()):
        whole = b"HTTP/1.1 100 Continue\r\n\r\n" + whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    class FakeSocket:
        def makefile(self, *_: Any) -> io.BytesIO:
            return io.BytesIO(whole)

    theirs = http.client.HTTPResponse(FakeSocket(), method="POST")  # type: ignore[arg-type]
    theirs.begin()
    arriving = [piece for piece in pieces if piece]

    class Arriving:
        def recv(self, _: int) -> bytes:
            return arriving.pop(0) if arriving else b""

    ours, may_stay = aws_http._receive(Arriving())  # type: ignore[arg-type]
    assert (ours.status, ours.body) == (theirs.status, theirs.read())
    assert ours.headers == {name.lower(): value for name, value in theirs.getheaders()}
    assert may_stay is (framing != "close")


BROKEN = {"no status line": b"hello\r\n\r\n", "nothing": b""}
CUT_OFF = {
    "in the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
}


def outcomes_of(
    response: bytes, endpoint: Callable[[str], None], *makes: Callable[[str], Any]
) -> list[tuple[str, int]]:
    """The exception that a server's response leads to, and how many connections it took, for each kind of client."""
    found = []
    for make in makes:
        with raw_server(*[response] * 3, close=True) as (url, connections):
            endpoint(url)
            raised = outcome(make("sqs"), "send_message", {"QueueUrl": "q", "MessageBody": "b"})[0]
            found.append((raised, len(connections)))
    return found


@pytest.mark.parametrize("response", BROKEN.values(), ids=BROKEN)
def test_a_broken_response_is_the_error_that_botocore_raises(
    endpoint: Callable[[str], None], pauses: list[float], response: bytes
) -> None:
    assert outcomes_of(response, endpoint, lean, stock) == [("ConnectionClosedError", 3)] * 2


@pytest.mark.parametrize("response", CUT_OFF.values(), ids=CUT_OFF)
def test_a_response_that_is_cut_off_is_no_answer(
    endpoint: Callable[[str], None], pauses: list[float], response: bytes
) -> None:
    """botocore takes what has arrived of some of them for an empty answer: an item that is not there."""
    assert outcomes_of(response, endpoint, lean) == [("ConnectionClosedError", 3)]


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
    ids=["length", "header", "chunk size", "chunk end", "endless header"],
)
def test_what_is_not_http_is_a_closed_connection(response: bytes) -> None:
    with raw_server(response, close=True) as (url, _), pytest.raises(HTTPClientError, match="Connection was closed"):
        connections_to(url).post({}, b"")


def test_nobody_listens(endpoint: Callable[[str], None], pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    endpoint(url)
    found = [outcome(make("sqs"), "send_message", {"QueueUrl": "q", "MessageBody": "b"}) for make in (lean, stock)]
    assert [result[0] for result in found] == ["EndpointConnectionError"] * 2
    assert len(pauses) == 4


def test_no_answer_in_time_is_a_read_timeout(server: Sink, pauses: list[float]) -> None:
    for make in (lean, stock):
        server.replies = [Reply(hang=threading.Event()) for _ in range(3)]
        assert outcome(make("sqs"), "send_message", {"QueueUrl": "q", "MessageBody": "b"})[0] == "ReadTimeoutError"
    assert len(server.calls) == 6


def test_no_connection_in_time_is_a_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", hang)
    with pytest.raises(ConnectTimeoutError):
        connections_to("http://127.0.0.1:1").post({}, b"")


def test_calls_in_turn_share_a_connection() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with raw_server(*[ok] * 5) as (url, connections):
        used = connections_to(url)
        assert [used.post({}, b"x").body for _ in range(5)] == [b"ok"] * 5
        assert len(connections) == 1


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    ],
    ids=["close", "1.0", "more than its length"],
)
def test_a_connection_that_may_not_stay_is_not_used_again(first: bytes) -> None:
    with raw_server(first, b"HTTP/1.1 204 No Content\r\n\r\n") as (url, connections):
        used = connections_to(url)
        assert used.post({}, b"").body == b"ok"
        assert used.post({}, b"") == (204, {}, b"")
        assert len(connections) == 2


def test_a_connection_closed_while_idle_costs_no_attempt() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with raw_server(ok, ok, close=True) as (url, connections):
        used = connections_to(url)
        for _ in range(2):
            assert used.post({}, b"").body == b"ok"
            until(lambda: select.select([used._idle[0]], [], [], 0)[0], "the close has arrived")
        assert len(connections) == 2


def test_an_interrupted_call_leaves_its_response_to_nobody(
    endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupt(BaseException):
        pass

    receive = aws_http._receive

    def interrupted(connection: socket.socket) -> Any:
        select.select([connection], [], [])  # the response has arrived
        raise Interrupt

    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"]
    with raw_server(*answers) as (url, connections):
        used = connections_to(url)
        monkeypatch.setattr(aws_http, "_receive", interrupted)
        with pytest.raises(Interrupt):
            used.post({}, b"")
        monkeypatch.setattr(aws_http, "_receive", receive)
        assert used.post({}, b"").body == b"2"
        assert len(connections) == 2


def test_threads_share_a_client(server: Sink) -> None:
    server.replies = [Reply(body=json.dumps({"MessageId": str(number)}).encode()) for number in range(200)]
    client = lean("sqs")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: client.send_message(QueueUrl="q", MessageBody="b")["MessageId"], range(200)))
    assert sorted(found, key=int) == [str(number) for number in range(200)]


def test_no_more_than_ten_idle_connections_are_kept() -> None:
    used = connections_to("http://127.0.0.1:1")
    pairs = [socket.socketpair() for _ in range(12)]
    for ours, _ in pairs:
        used._idle.append(ours)
    assert len(used._idle) == 10
    used.close()
    assert not used._idle
    for pair in pairs:
        for end in pair:
            end.close()


# --- where and as whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", OPERATIONS)
@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual_stack", [False, True])
def test_an_endpoint_is_the_one_that_botocore_resolves(service: str, fips: bool, dual_stack: bool) -> None:
    loader = Loader()
    partitions = loader.load_data("partitions")
    provider = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)
    environment = {
        "AWS_USE_FIPS_ENDPOINT": str(fips),
        "AWS_USE_DUALSTACK_ENDPOINT": str(dual_stack),
        "AWS_CONFIG_FILE": "/dev/null",
    }
    checked = set()
    for partition in partitions["partitions"]:
        for region in partition["regions"]:
            found = endpoint_url(service, region, environment)
            if found is not None:
                theirs = provider.resolve_endpoint(
                    Region=region, UseFIPS=fips, UseDualStack=dual_stack, AccountIdEndpointMode="preferred"
                )
                assert (region, found) == (region, theirs.url)
                checked.add(partition["id"])
    assert checked == {"aws", "aws-cn", "aws-us-gov"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SQS": "http://b:1/path"}, "http://b:1/path"),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://sqs.eu-west-1.amazonaws.com",
        ),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://a"}, "https://sqs.eu-west-1.amazonaws.com"),
    ],
)
def test_a_configured_endpoint_is_the_one_that_botocore_takes(
    endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    endpoint("")
    for name, value in {"AWS_DEFAULT_REGION": "eu-west-1", **environment}.items():
        monkeypatch.setenv(name, value)
    assert lean("sqs")._connections.endpoint.url == expected == stock("sqs").meta.endpoint_url


ONLY_BOTOCORE = [
    {"FANOUT_AWS_CALLS": "boto3"},
    {"AWS_PROFILE": "p"},
    {"HTTPS_PROXY": "http://proxy"},
    {"AWS_ACCOUNT_ID": "123456789012"},
    {"AWS_CREDENTIAL_EXPIRATION": "2026-11-26T00:00:00Z"},
    {"AWS_DEFAULT_REGION": ""},
    {"AWS_DEFAULT_REGION": "us-iso-east-1", "AWS_ENDPOINT_URL": ""},
    {"AWS_DEFAULT_REGION": "nowhere", "AWS_ENDPOINT_URL": ""},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_ENDPOINT_URL": "http://user@host/"},
    {"AWS_ENDPOINT_URL": "http://host/?query"},
    {"AWS_ENDPOINT_URL": "unix:/socket"},
    {"AWS_CONFIG_FILE": __file__},
]


@pytest.mark.parametrize("environment", ONLY_BOTOCORE, ids=lambda value: next(iter(value)))
def test_what_only_botocore_knows_is_left_to_boto3(
    endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    endpoint("http://127.0.0.1:1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert aws_calls.make("sqs", dict, connect_timeout=1, read_timeout=1, attempts=3) is None


def test_other_services_and_other_operations_are_boto3s(endpoint: Callable[[str], None]) -> None:
    endpoint("http://127.0.0.1:1")
    assert isinstance(aws.client("sqs"), aws_calls.Client)
    assert not isinstance(aws.client("s3"), aws_calls.Client)
    assert not isinstance(aws.client("sqs", retries=False), aws_calls.Client)
    assert aws.client("sqs").meta.service_model.service_name == "sqs"
    assert aws.client("sqs").boto3.list_queues == aws.client("sqs").list_queues
    with pytest.raises(AttributeError, match="no_such_operation"):
        aws.client("sqs").no_such_operation()


@pytest.mark.parametrize("path", ["", "boto3"])
def test_an_environment_variable_returns_to_boto3(server: Sink, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("FANOUT_AWS_CALLS", path)
    server.replies = [Reply(body=b"{}")]
    aws.client("dynamodb").get_item(TableName="t", Key={})
    assert ("Boto3" in server.calls[0].headers["user-agent"]) is (path == "boto3")


def test_without_credentials_the_error_is_botocores(
    server: Sink, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    for make in (lean, stock):
        with pytest.raises(NoCredentialsError):
            make("sqs").send_message(QueueUrl="q", MessageBody="b")
    assert server.calls == []


def test_credentials_that_expire_are_renewed(server: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    issued: list[str] = []
    expirations: list[datetime] = []
    with sink() as issuer:  # as Lambda serves them to a function with SnapStart
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{issuer.url}/credentials")
        monkeypatch.setattr("botocore.credentials.RefreshableCredentials._advisory_refresh_timeout", 0)
        monkeypatch.setattr("botocore.credentials.RefreshableCredentials._mandatory_refresh_timeout", 0)

        def issue(seconds: float) -> Reply:
            issued.append(f"KEY{len(issued)}")
            expirations.append(datetime.now(UTC) + timedelta(seconds=seconds))
            expiration = expirations[-1].isoformat()
            body = {"AccessKeyId": issued[-1], "SecretAccessKey": "s", "Token": "t", "Expiration": expiration}
            return Reply(body=json.dumps(body).encode())

        issuer.replies = [issue(1.5), issue(3600)]
        client = lean("sqs")

        def key_of_a_call() -> str:
            server.replies = [Reply(body=b"{}")]
            client.send_message(QueueUrl="q", MessageBody="b")
            return server.calls[-1].headers["authorization"].split("Credential=")[1].split("/")[0]

        first = key_of_a_call()
        until(lambda: datetime.now(UTC) > expirations[0], "the first credentials have expired", seconds=5)
        assert [first, key_of_a_call()] == issued


@pytest.mark.parametrize(
    ("statement", "modules"),
    [
        (
            "from fanout import aws; aws.client('dynamodb').put_item(TableName='t', Item={})",
            {"boto3", "botocore", "http.client", "urllib3", "email", "pathlib"},
        ),
        ("from fanout import put_once; put_once('t', {'pk': 'a', 'sk': 1})", {"boto3", "botocore", "urllib3"}),
    ],
    ids=["call", "put_once"],
)
def test_a_call_does_not_import_what_is_expensive(server: Sink, statement: str, modules: set[str]) -> None:
    server.replies = [Reply(body=b"{}")]
    environment = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/dev/null",
        "PYTHONPATH": str(ROOT / "layers/common"),
    }
    script = f"import sys; {statement}; print(*sorted({modules!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_the_authorities_are_amazons_as_botocore_has_them() -> None:
    pattern = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
    ours = pattern.findall(Path(aws_http._AMAZON_AUTHORITIES).read_text())
    theirs = pattern.findall((Path(botocore.session.__file__).parent / "cacert.pem").read_text())
    assert len(ours) == 5
    assert set(ours) <= set(theirs)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("authority") / "both.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def tls(endpoint: Callable[[str], None], authority: Path, pauses: list[float]) -> Iterator[str]:
    """The URL of a server that speaks TLS, to which the clients are led."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority)
    with raw_server(*[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"] * 9, tls=context) as (url, _):
        secure = url.replace("http://127.0.0.1", "https://localhost")
        endpoint(secure)
        yield secure


SEND: dict[str, Any] = {"QueueUrl": "q", "MessageBody": "b"}


@pytest.fixture
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_a_configured_bundle_is_trusted(
    tls: str, no_bundle: None, authority: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(authority))
    assert [outcome(make("sqs"), "send_message", SEND)[0] for make in (lean, stock)] == ["", ""]


def test_an_authority_that_only_botocore_has_is_trusted(
    tls: str, no_bundle: None, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.httpsession.get_cert_path", lambda _: str(authority))
    client = lean("sqs")
    assert [outcome(client, "send_message", SEND)[0] for _ in range(2)] == ["", ""]
    client.close()
    monkeypatch.setattr(aws_http, "_AMAZON_AUTHORITIES", "tried a second time")
    assert outcome(client, "send_message", SEND)[0] == ""


def test_no_other_authority_is_trusted(tls: str, no_bundle: None) -> None:
    assert [outcome(make("sqs"), "send_message", SEND)[0] for make in (lean, stock)] == ["SSLError"] * 2


def test_another_hosts_certificate_is_not_trusted(
    tls: str, authority: Path, endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    endpoint(tls.replace("localhost", "127.0.0.1"))
    assert [outcome(make("sqs"), "send_message", SEND)[0] for make in (lean, stock)] == ["SSLError"] * 2


def test_a_handshake_that_hangs_is_a_read_timeout(endpoint: Callable[[str], None], pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint(f"https://127.0.0.1:{deaf.getsockname()[1]}")
        found = [outcome(make("sqs"), "send_message", SEND)[0] for make in (lean, stock)]
    assert found == ["ReadTimeoutError"] * 2
