"""What DynamoDB refuses."""

from collections.abc import Callable
from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal, Template

_API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
_GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
_CONSTRAINTS = f"{_GUIDE}/Constraints.html"

_KEY = {"AttributeName": "id", "KeyType": "HASH"}
_TABLE: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [_KEY],
}


def _defined(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _index(number: int, *, hash_key: str = "other", **projection: Any) -> dict[str, Any]:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    if hash_key == "id":
        keys.append({"AttributeName": "other", "KeyType": "RANGE"})
    return {"IndexName": f"index{number}", "KeySchema": keys, "Projection": {"ProjectionType": "ALL", **projection}}


def _made(aws: Aws, **changed: Any) -> str:
    name = aws.name("table")
    aws.dynamodb.create_table(TableName=name, **{**_TABLE, **changed})
    return name


def _template(**changed: Any) -> Template:
    return {"Resources": {"One": {"Type": "AWS::DynamoDB::Table", "Properties": {**_TABLE, **changed}}}}


def _table(id: str, rule: str, source: str, text: str, **changed: Any) -> Refusal:
    return Refusal(
        id=f"dynamodb-{id}",
        rule=rule,
        source=source,
        code="ValidationException",
        text=text,
        held="strictness/tables.py",
        call=lambda aws: _made(aws, **changed),
        template=_template(**changed),
    )


def _called(
    id: str,
    rule: str,
    source: str,
    text: str,
    call: Callable[[Aws], object],
    *,
    held: str = "strictness/tables.py",
    code: str = "ValidationException",
) -> Refusal:
    return Refusal(id=f"dynamodb-{id}", rule=rule, source=source, code=code, text=text, held=held, call=call)


def _update(aws: Aws, expression: str, **request: Any) -> None:
    aws.dynamodb.update_item(
        TableName=_made(aws),
        Key={"id": {"S": "1"}},
        UpdateExpression=expression,
        ExpressionAttributeValues={":v": {"S": "x"}},
        **request,
    )


def _put(aws: Aws, **item: Any) -> None:
    aws.dynamodb.put_item(TableName=_made(aws), Item=item)


def _filter_by_key(aws: Aws) -> None:
    aws.dynamodb.query(
        TableName=_made(aws),
        KeyConditionExpression="id = :v",
        FilterExpression="id = :v",
        ExpressionAttributeValues={":v": {"S": "x"}},
    )


def _write(aws: Aws, count: int, *, same: bool = False) -> None:
    table = _made(aws)
    puts = [
        {"Put": {"TableName": table, "Item": {"id": {"S": "same" if same else str(number)}}}} for number in range(count)
    ]
    aws.dynamodb.transact_write_items(TransactItems=puts)


def _expire_twice(aws: Aws, second: str) -> None:
    table = _made(aws)
    for attribute in ("expires", second):
        aws.dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
        )


def _stream_twice(aws: Aws) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    aws.dynamodb.update_table(TableName=_made(aws, StreamSpecification=stream), StreamSpecification=stream)


REFUSALS = (
    _table(
        "a-key-begins-with-its-hash",
        "The first of a key's attributes is the HASH key",
        f"{_API}/API_KeySchemaElement.html",
        "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        AttributeDefinitions=_defined("id", "other"),
        KeySchema=[{"AttributeName": "other", "KeyType": "RANGE"}, _KEY],
    ),
    _called(
        "an-attribute-that-is-defined-is-a-key",
        "Every defined attribute is a key of the table or of an index",
        f"{_API}/API_AttributeDefinition.html",
        "AttributeDefinitions are not used",
        lambda aws: _made(aws, AttributeDefinitions=_defined("id", "other")),
        held="ministack",
    ),
    Refusal(
        id="dynamodb-a-template-defines-the-keys-only",
        rule="A template defines the attributes that are keys of the table or of an index, and no others",
        source="https://github.com/pulumi/pulumi-aws-native/issues/729",
        code="InvalidRequest",
        text="Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefin",
        held="strictness/tables.py",
        template=_template(AttributeDefinitions=_defined("id", "other")),
    ),
    Refusal(
        id="dynamodb-a-template-defines-every-key",
        rule="A template defines every attribute that is a key of the table or of an index",
        source="https://github.com/aws-amplify/amplify-category-api/issues/1924",
        code="InvalidRequest",
        text="An attribute referenced in a KeySchema element is not defined in AttributeDefinitions",
        held="strictness/tables.py",
        template=_template(AttributeDefinitions=_defined("other")),
    ),
    _table(
        "a-table-has-20-global-indexes-at-most",
        "A table has 20 global secondary indexes at most",
        f"{_GUIDE}/ServiceQuotas.html",
        "per-table limit of 20",
        AttributeDefinitions=_defined("id", "other"),
        GlobalSecondaryIndexes=[_index(number) for number in range(21)],
    ),
    _table(
        "a-table-has-5-local-indexes-at-most",
        "A table has five local secondary indexes at most",
        f"{_GUIDE}/ServiceQuotas.html",
        "per-table limit of 5",
        AttributeDefinitions=_defined("id", "other"),
        KeySchema=[_KEY, {"AttributeName": "other", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[_index(number, hash_key="id") for number in range(6)],
    ),
    _table(
        "a-projection-of-everything-names-nothing",
        "Only a projection of type INCLUDE names attributes",
        f"{_API}/API_Projection.html",
        "ProjectionType is ALL, but NonKeyAttributes is specified",
        AttributeDefinitions=_defined("id", "other"),
        GlobalSecondaryIndexes=[_index(0, NonKeyAttributes=["name"])],
    ),
    _called(
        "a-stream-has-a-view",
        "A stream has a view type",
        f"{_API}/API_StreamSpecification.html",
        "StreamViewType",
        lambda aws: _made(aws, StreamSpecification={"StreamEnabled": True}),
    ),
    _called(
        "a-stream-is-enabled-once",
        "A stream that is enabled is not enabled again",
        f"{_API}/API_UpdateTable.html",
        "Table already has an enabled stream",
        _stream_twice,
    ),
    _called(
        "a-lifetime-is-enabled-once",
        "A lifetime that is enabled is not enabled again",
        f"{_API}/API_UpdateTimeToLive.html",
        "TimeToLive is already enabled",
        lambda aws: _expire_twice(aws, "expires"),
    ),
    _called(
        "a-lifetime-has-one-attribute",
        "A lifetime changes its attribute only after it was disabled",
        f"{_API}/API_UpdateTimeToLive.html",
        "TimeToLive is active on a different AttributeName: current AttributeName is expires",
        lambda aws: _expire_twice(aws, "until"),
    ),
    _called(
        "an-update-sets-a-path-once",
        "The paths that an update writes do not overlap",
        f"{_GUIDE}/Expressions.UpdateExpressions.html",
        "Two document paths overlap with each other",
        lambda aws: _update(aws, "SET #a.b = :v REMOVE a", ExpressionAttributeNames={"#a": "a"}),
    ),
    _called(
        "an-update-has-each-section-once",
        "An update expression has each of its sections once",
        f"{_GUIDE}/Expressions.UpdateExpressions.html",
        'The "SET" section can only be used once in an update expression',
        lambda aws: _update(aws, "SET a = :v SET b = :v"),
    ),
    _called(
        "a-reserved-word-needs-a-placeholder",
        "A reserved word is not a name of an attribute in an expression",
        f"{_GUIDE}/ReservedWords.html",
        "Attribute name is a reserved keyword; reserved keyword: status",
        lambda aws: _update(aws, "SET status = :v"),
        held="ministack",
    ),
    _called(
        "a-placeholder-is-used",
        "Every placeholder is used",
        f"{_GUIDE}/Expressions.ExpressionAttributeNames.html",
        "unused in expressions: keys: {#a}",
        lambda aws: _update(aws, "SET a = :v", ExpressionAttributeNames={"#a": "b"}),
        held="ministack",
    ),
    _called(
        "a-key-is-not-updated",
        "An update does not change the key",
        f"{_API}/API_UpdateItem.html",
        "Cannot update attribute id. This attribute is part of the key",
        lambda aws: _update(aws, "SET id = :v"),
        held="ministack",
    ),
    _called(
        "a-filter-has-no-key",
        "A query does not filter by the key",
        f"{_API}/API_Query.html",
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: id",
        _filter_by_key,
    ),
    _called(
        "an-item-has-400-kb-at-most",
        "An item has 400 KB at most",
        _CONSTRAINTS,
        "Item size has exceeded the maximum allowed size",
        lambda aws: _put(aws, id={"S": "1"}, text={"S": "x" * 410_000}),
        held="ministack",
    ),
    _called(
        "a-key-is-not-empty",
        "A key is not empty",
        _CONSTRAINTS,
        "cannot contain an empty string value. Key: id",
        lambda aws: _put(aws, id={"S": ""}),
        held="ministack",
    ),
    _called(
        "a-transaction-has-100-actions-at-most",
        "A transaction has 100 actions at most",
        f"{_API}/API_TransactWriteItems.html",
        "less than or equal to 100",
        lambda aws: _write(aws, 101),
        held="ministack",
    ),
    _called(
        "a-transaction-has-an-item-once",
        "A transaction has one action on an item",
        f"{_API}/API_TransactWriteItems.html",
        "Transaction request cannot include multiple operations on one item",
        lambda aws: _write(aws, 2, same=True),
        held="ministack",
    ),
)
