"""How `fanout.aws_calls` writes requests and reads answers: the json protocol (DynamoDB, SQS) and query (SNS).

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html, https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from base64 import b64encode
from collections.abc import Container, Iterator, Mapping
from functools import cached_property
from typing import Any, Protocol

import msgspec

from fanout.aws_http import Response
from fanout.aws_operations import ERRORS, MESSAGE_MEMBERS, DynamoDBAnswer, DynamoDBError, DynamoDBValues, Operation

Document = dict[str, Any]
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


class WireProtocol(Protocol):
    """What a service speaks."""

    def request(self, operation: Operation, parameters: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a request."""

    def answer(self, response: Response) -> Document:
        """Return what a successful response holds, with ResponseMetadata. Raises ValueError if it cannot be read."""

    def error(self, response: Response) -> Document:
        """Return what an error response holds: Error (Code, Message), ResponseMetadata, and what the error adds."""


class Json:
    """The json protocol.

    values: the type that the parameters are validated with.
    answer, error: the types of what a response holds: base64 becomes bytes, unknown fields are dropped.
    codes: the errors that hold something beside code and message.
    """

    def __init__(
        self,
        target: str,
        *,
        values: Any = Any,
        answer: Any = Any,
        error: Any = None,
        codes: Container[str],
        is_query_compatible: bool = False,
    ) -> None:
        self._target = target
        self._headers = {"content-type": "application/x-amz-json-1.0"}
        if is_query_compatible:
            self._headers["x-amzn-query-mode"] = "true"
        self._values_type = values
        self._answer_type = answer
        self._error_type = error
        self._codes = codes

    @cached_property
    def _answer(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self._answer_type)

    def request(self, operation: Operation, parameters: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a request. Raises msgspec.ValidationError for a value of a wrong type."""
        msgspec.convert(parameters, self._values_type, builtin_types=(bytes,))
        try:
            body = msgspec.json.encode(parameters)
        except UnicodeEncodeError:  # half of a surrogate pair: AWS refuses it, as it refuses botocore's escape for it
            import json  # noqa: PLC0415 - start-up cost

            body = json.dumps(parameters, default=lambda value: b64encode(value).decode()).encode()
        return {**self._headers, "x-amz-target": f"{self._target}.{operation.name}"}, body

    def answer(self, response: Response) -> Document:
        """Return what a successful response holds, with ResponseMetadata. Raises ValueError if it cannot be read."""
        document: Document = self._answer.decode(response.body) if response.body else {}
        return {**document, "ResponseMetadata": _metadata(response)}

    def error(self, response: Response) -> Document:
        """Return what an error response holds: Error (Code, Message), ResponseMetadata, and what the error adds."""
        if _is_generic(response):
            return _generic_error(response)
        try:
            body = msgspec.json.decode(response.body) if response.body else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = {"message": response.body.decode("utf-8", "replace")}
        error: Document = {"Message": body.get("message", body.get("Message", ""))}
        code = str(body.get("__type") or response.status).partition(":")[0].rpartition("#")[2]
        query_code, separator, kind = response.headers.get("x-amzn-query-error", "").partition(";")
        if query_code and separator and ";" not in kind:
            error |= {"QueryErrorCode": code, "Type": kind}
            code = query_code
        error["Code"] = code
        added: Document = {}
        if code in self._codes:
            member = MESSAGE_MEMBERS.get(code, "message")
            added = {member: body[member]} if member in body else {}
            if self._error_type is not None:
                added |= msgspec.convert(body, self._error_type)
        return {"Error": error, "ResponseMetadata": _metadata(response), **added}


DYNAMODB = Json(
    "DynamoDB_20120810",
    values=DynamoDBValues,
    answer=DynamoDBAnswer,
    error=DynamoDBError,
    codes=ERRORS["dynamodb"],
)
SQS = Json("AmazonSQS", codes=ERRORS["sqs"], is_query_compatible=True)


class Query:
    """The query protocol: forms in, XML out."""

    def __init__(self, version: str) -> None:
        self._version = version

    def request(self, operation: Operation, parameters: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a request."""
        pairs = [("Action", operation.name), ("Version", self._version)]
        for name, value in parameters.items():
            pairs += _flatten(name, value)
        body = b"&".join(b"%b=%b" % (name.encode(), _quote(value)) for name, value in pairs)
        return {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, body

    def answer(self, response: Response) -> Document:
        """Return what a successful response holds, with ResponseMetadata. Raises ValueError if it cannot be read."""
        root = _parse_xml(response.body)
        result = next((value for name, value in root.items() if name.endswith("Result")), None)
        if result is None:
            raise ValueError("no result in it")
        document = {
            name: [_entry(member) for member in _members(value)]
            for name, value in (result.items() if isinstance(result, dict) else ())
        }
        return {**document, "ResponseMetadata": {**_texts(root.get("ResponseMetadata")), **_metadata(response)}}

    def error(self, response: Response) -> Document:
        """Return what an error response holds: Error (Code, Message, Type) and ResponseMetadata."""
        if _is_generic(response):
            return _generic_error(response)
        root = _parse_xml(response.body)
        metadata = _metadata(response)
        if isinstance(request_id := root.get("RequestId"), str):
            metadata["RequestId"] = request_id
        return {"Error": _texts(root.get("Error")), "ResponseMetadata": metadata}


SNS = Query("2010-03-31")


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if name.endswith("MessageAttributes"):
            for number, (key, attribute) in enumerate(value.items(), 1):
                yield f"{name}.entry.{number}.Name", key
                yield from _flatten(f"{name}.entry.{number}.Value", attribute)
        else:
            for key, part in value.items():
                yield from _flatten(f"{name}.{key}", part)
    elif isinstance(value, list | tuple):
        if not value:
            yield name, ""
        for number, part in enumerate(value, 1):
            yield from _flatten(f"{name}.member.{number}", part)
    else:
        yield name, b64encode(value).decode() if isinstance(value, bytes | bytearray) else str(value)


def _quote(text: str) -> bytes:
    """Return the text as a form's value: urllib's `quote_plus`, with one pass for each character that occurs."""
    body = text.encode().replace(b"%", b"%25")
    for byte in set(body.translate(None, _UNRESERVED)) - {0x25, 0x20}:
        body = body.replace(bytes((byte,)), b"%%%02X" % byte)
    return body.replace(b" ", b"+")


def _metadata(response: Response) -> Document:
    metadata: Document = {"HTTPStatusCode": response.status, "HTTPHeaders": response.headers}
    if "x-amzn-requestid" in response.headers:
        metadata["RequestId"] = response.headers["x-amzn-requestid"]
    return metadata


def _is_generic(response: Response) -> bool:
    """Tell whether a server in front of the service wrote this."""
    body = response.body.strip()
    return response.status >= 500 and (not body or body.startswith(b"<html>"))


def _generic_error(response: Response) -> Document:
    from http.client import responses  # noqa: PLC0415 - start-up cost

    error = {"Code": str(response.status), "Message": responses.get(response.status, "")}
    metadata = {"HTTPStatusCode": response.status, "HTTPHeaders": response.headers}
    return {"Error": error, "ResponseMetadata": metadata}


def _parse_xml(body: bytes) -> Document:
    """Return what is in the root element: text as str, elements as a dict, repeated ones as a list.

    Raises ValueError if it is not XML.
    """
    from xml.parsers import expat  # noqa: PLC0415 - publishers only

    root: Document = {}
    open_elements: list[tuple[str, Document, list[str]]] = [("", root, [])]

    def start(name: str, _: Any) -> None:
        open_elements.append((name, {}, []))

    def end(_: str) -> None:
        name, children, text = open_elements.pop()
        value: Any = children or "".join(text)
        parent = open_elements[-1][1]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: open_elements[-1][2].append(text)  # noqa: PLW0108 - another list for each element
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {error}") from error
    top = next(iter(root.values()))
    return top if isinstance(top, dict) else {}


def _members(value: Any) -> list[Any]:
    members = value.get("member", []) if isinstance(value, dict) else []
    return members if isinstance(members, list) else [members]


def _entry(member: Any) -> Document:
    entry = _texts(member)
    if "SenderFault" in entry:
        entry["SenderFault"] = entry["SenderFault"] == "true"
    return entry


def _texts(value: Any) -> Document:
    return {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
