"""The candidates of bench/aws_calls.py, and the process that measures one. It imports nothing else.

`python candidates.py CANDIDATE CALL TIMES URL` prints the CPU seconds to the end of the first call, and of one more.
"""

from __future__ import annotations

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "layers", "common"))

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Call = Callable[[str, dict[str, Any]], Any]

ITEM = {
    "pk": {"S": "event#0190b8b2-8f3e-7cc1-b1a5-0e1f6a2b3c4d"},
    "sk": {"S": "team_events/team_a"},
    "type": {"S": "team.announcement.v1"},
    "title": {"S": "The office is closed on Monday"},
    "body": {"S": "lorem ipsum dolor sit amet " * 8},
    "expires_at": {"N": "1798761600"},
    "tags": {"L": [{"S": "all"}, {"S": "office"}]},
}
KEY = {"pk": ITEM["pk"], "sk": ITEM["sk"]}
ABSENT = "attribute_not_exists(pk)"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
EVENT = json.dumps({"specversion": "1.0", "id": "0190b8b2", "source": "bench", "data": ITEM}).ljust(534)
ENTRIES = range(10)
CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "PutItem": ("dynamodb", "put_item", {"TableName": "t", "Item": ITEM, "ConditionExpression": ABSENT}),
    "UpdateItem": (
        "dynamodb",
        "update_item",
        {
            "TableName": "t",
            "Key": KEY,
            "UpdateExpression": "SET #s = :s ADD tries :one",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": {":s": {"S": "done"}, ":one": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    "GetItem": ("dynamodb", "get_item", {"TableName": "t", "Key": KEY, "ConsistentRead": True}),
    "TransactWriteItems": (
        "dynamodb",
        "transact_write_items",
        {"TransactItems": [{"Put": {"TableName": "t", "Item": ITEM, "ConditionExpression": ABSENT}} for _ in range(2)]},
    ),
    "SendMessage": ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": EVENT, "DelaySeconds": 30}),
    "SendMessageBatch": (
        "sqs",
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": str(number), "MessageBody": EVENT} for number in ENTRIES]},
    ),
    "ChangeMessageVisibility": (
        "sqs",
        "change_message_visibility",
        {"QueueUrl": QUEUE, "ReceiptHandle": "r" * 300, "VisibilityTimeout": 30},
    ),
    "ChangeMessageVisibilityBatch": (
        "sqs",
        "change_message_visibility_batch",
        {
            "QueueUrl": QUEUE,
            "Entries": [{"Id": str(n), "ReceiptHandle": "r" * 300, "VisibilityTimeout": 30} for n in ENTRIES],
        },
    ),
    "PublishBatch": (
        "sns",
        "publish_batch",
        {
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:topic",
            "PublishBatchRequestEntries": [{"Id": str(number), "Message": EVENT} for number in ENTRIES],
        },
    ),
}


def _boto3(service: str, _: str) -> Call:
    import boto3

    client = boto3.client(service)
    return lambda method, parameters: getattr(client, method)(**parameters)


def _trimmed(service: str, _: str) -> Call:
    """botocore with everything off that can be: no boto3, no validation, no compression, no hooks but the signature."""
    import botocore.session
    from botocore.config import Config

    config = Config(
        parameter_validation=False,
        disable_request_compression=True,
        inject_host_prefix=False,
        account_id_endpoint_mode="disabled",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    client = botocore.session.get_session().create_client(service, config=config)
    emit, emit_until = client.meta.events.emit, client.meta.events.emit_until_response
    silent = ("before-", "after-call", "provide-client-params", "response-received", "request-created.*.user-agent")
    client.meta.events.emit = lambda name, **rest: [] if name.startswith(silent) else emit(name, **rest)
    client.meta.events.emit_until_response = lambda name, **rest: (
        (None, None) if name.startswith(silent) else emit_until(name, **rest)
    )
    return lambda method, parameters: getattr(client, method)(**parameters)


def _own_bodies(service: str) -> tuple[Any, Callable[[str], Any]]:
    from fanout.aws_calls import _PROTOCOLS
    from fanout.aws_operations import OPERATIONS

    return _PROTOCOLS[service], OPERATIONS[service].__getitem__


def _authorities() -> str | None:
    return os.environ.get("BENCH_AUTHORITIES")


def _botocore_auth(service: str, url: str) -> Call:
    import urllib3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    pool = urllib3.PoolManager(ca_certs=_authorities())
    signer = SigV4Auth(Credentials("testing", "testing"), service, "us-east-1")
    protocol, operation = _own_bodies(service)

    def call(method: str, parameters: dict[str, Any]) -> Any:
        headers, body = protocol.request(operation(method), parameters)
        request = AWSRequest("POST", f"{url}/", headers, body)
        signer.add_auth(request)
        return _read(protocol, pool.request("POST", f"{url}/", body=body, headers=dict(request.headers)))

    return call


def _read(protocol: Any, response: Any) -> Any:
    from fanout.aws_http import Response

    headers = {name.lower(): value for name, value in response.headers.items()}
    return protocol.answer(Response(response.status, headers, response.data))


def _signer(service: str, url: str) -> Callable[[dict[str, str], bytes], dict[str, str]]:
    from fanout.aws_http import Endpoint
    from fanout.aws_signing import Credentials, Signer

    endpoint = Endpoint.parse(url)
    assert endpoint
    signer = Signer(service, "us-east-1", endpoint.authority, endpoint.path)
    credentials = Credentials("testing", "testing", None)
    return lambda headers, body: signer.sign(headers, body, credentials)


def _own_urllib3(service: str, url: str) -> Call:
    import urllib3

    pool = urllib3.PoolManager(ca_certs=_authorities())
    sign = _signer(service, url)
    protocol, operation = _own_bodies(service)

    def call(method: str, parameters: dict[str, Any]) -> Any:
        headers, body = protocol.request(operation(method), parameters)
        return _read(protocol, pool.request("POST", f"{url}/", body=body, headers=sign(headers, body)))

    return call


def _own_http_client(service: str, url: str) -> Call:
    from http.client import HTTPConnection, HTTPSConnection

    from fanout.aws_http import Response

    scheme, _, authority = url.partition("://")
    if scheme == "https":
        import ssl

        connection: Any = HTTPSConnection(authority, context=ssl.create_default_context(cafile=_authorities()))
    else:
        connection = HTTPConnection(authority)
    sign = _signer(service, url)
    protocol, operation = _own_bodies(service)

    def call(method: str, parameters: dict[str, Any]) -> Any:
        headers, body = protocol.request(operation(method), parameters)
        connection.request("POST", "/", body, sign(headers, body))
        response = connection.getresponse()
        kept = {name.lower(): value for name, value in response.getheaders()}
        return protocol.answer(Response(response.status, kept, response.read()))

    return call


def _awscrt(service: str, url: str) -> Call:
    from io import BytesIO

    from awscrt import auth, http, io

    from fanout.aws_http import Response

    scheme, _, authority = url.partition("://")
    host, _, port = authority.partition(":")
    bootstrap = io.ClientBootstrap(io.EventLoopGroup(1), io.DefaultHostResolver(io.EventLoopGroup(1)))
    tls = None
    if scheme == "https":
        options = io.TlsContextOptions()
        options.override_default_trust_store_from_path(None, _authorities())
        tls = io.ClientTlsContext(options).new_connection_options()
        tls.set_server_name(host)
    connection = http.HttpClientConnection.new(host, int(port), bootstrap, tls_connection_options=tls).result()
    provider = auth.AwsCredentialsProvider.new_static("testing", "testing")
    protocol, operation = _own_bodies(service)

    def call(method: str, parameters: dict[str, Any]) -> Any:
        headers, body = protocol.request(operation(method), parameters)
        headers = {**headers, "host": authority, "content-length": str(len(body))}
        request = http.HttpRequest("POST", "/", http.HttpHeaders(list(headers.items())), BytesIO(body))
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=provider,
            region="us-east-1",
            service=service,
        )
        signed = auth.aws_sign_request(request, config).result()
        found: dict[str, Any] = {}
        parts: list[bytes] = []
        stream = connection.request(
            signed,
            lambda http_stream, status_code, headers: found.update(status=status_code, headers=dict(headers)),
            lambda http_stream, chunk: parts.append(bytes(chunk)),
        )
        stream.activate()
        stream.completion_future.result()
        return protocol.answer(Response(found["status"], found["headers"], b"".join(parts)))

    return call


def _fanout(service: str, _: str) -> Call:
    from fanout import aws_calls, aws_http

    if authorities := _authorities():
        aws_http._AMAZON_AUTHORITIES = authorities
    client = aws_calls.make(service, dict, connect_timeout=2, read_timeout=10, attempts=3)
    assert client
    return lambda method, parameters: getattr(client, method)(**parameters)


CANDIDATES: dict[str, Callable[[str, str], Call]] = {
    "boto3": _boto3,
    "botocore, all off": _trimmed,
    "botocore.auth + urllib3": _botocore_auth,
    "awscrt": _awscrt,
    "own signature + urllib3": _own_urllib3,
    "own signature + http.client": _own_http_client,
    "fanout.aws_calls": _fanout,
}


def run(candidate: str, call: str, times: int, url: str) -> None:
    """Make a call some times in this process; print the CPU seconds to the end of the first, and of each further."""
    service, method, parameters = CALLS[call]
    make = CANDIDATES[candidate](service, url)
    make(method, dict(parameters))
    first = time.process_time()
    for _ in range(times - 1):
        make(method, dict(parameters))
    print(first, (time.process_time() - first) / max(1, times - 1))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
