"""What DynamoDB refuses of tables and of update expressions.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
"""

import itertools
import re

from ministack.services import dynamodb

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning

_SECTION = re.compile(r"\b(SET|REMOVE|ADD|DELETE)\b", re.IGNORECASE)
_INVALID = "One or more parameter values were invalid: "


def apply() -> None:
    """Validate tables, whether they come over the API or from CloudFormation, their lifetimes, and updates of items."""
    before(dynamodb, "_create_table", _validate_table)
    before(dynamodb, "_update_table", _validate_stream_change)
    before(dynamodb, "_update_ttl", _validate_lifetime)
    before(dynamodb, "_update_item", _validate_update)
    before(dynamodb, "_transact_write_items", _validate_transaction)
    before(dynamodb, "_query", _validate_filter)
    before_provisioning("AWS::DynamoDB::Table", _validate_resource)


def _validate_table(table: Data) -> None:
    kinds = [key["KeyType"] for key in table["KeySchema"]]
    if kinds[0] != "HASH":
        raise _invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(kinds) > 1 and kinds[1] != "RANGE":
        raise _invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    for name, limit in (("LocalSecondaryIndexes", 5), ("GlobalSecondaryIndexes", 20)):
        indexes = table.get(name) or []
        if len(indexes) > limit:
            singular = name.removesuffix("es")
            raise _invalid(f"{_INVALID}{singular} count exceeds the per-table limit of {limit}")
        for index in indexes:
            projection = index.get("Projection") or {}
            if projection.get("ProjectionType") != "INCLUDE" and projection.get("NonKeyAttributes"):
                kind = projection.get("ProjectionType")
                raise _invalid(f"{_INVALID}ProjectionType is {kind}, but NonKeyAttributes is specified")
    stream = table.get("StreamSpecification")
    if stream and stream.get("StreamEnabled", True) and not stream.get("StreamViewType"):
        raise _invalid(f"{_INVALID}StreamViewType must be specified for a stream that is enabled")


def _validate_resource(table: Data) -> None:
    _validate_table(table)
    indexes = (table.get("LocalSecondaryIndexes") or []) + (table.get("GlobalSecondaryIndexes") or [])
    used = {key["AttributeName"] for keyed in (table, *indexes) for key in keyed["KeySchema"]}
    defined = {attribute["AttributeName"] for attribute in table.get("AttributeDefinitions") or []}
    if used - defined:
        raise _invalid("An attribute referenced in a KeySchema element is not defined in AttributeDefinitions")
    if defined - used:
        raise _invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )


def _validate_stream_change(data: Data) -> None:
    table = dynamodb._tables.get(data["TableName"].rsplit("/", 1)[-1]) or {}
    running = (table.get("StreamSpecification") or {}).get("StreamEnabled")
    if running and (data.get("StreamSpecification") or {}).get("StreamEnabled"):
        raise _invalid(f"Table already has an enabled stream: TableName: {data['TableName']}")


def _validate_lifetime(data: Data) -> None:
    wanted = data["TimeToLiveSpecification"]
    known = dynamodb._ttl_settings.get(data["TableName"].rsplit("/", 1)[-1]) or {}
    enabled, attribute = known.get("TimeToLiveStatus") == "ENABLED", known.get("AttributeName")
    if wanted["Enabled"] and enabled and attribute != wanted["AttributeName"]:
        raise _invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {attribute}")
    if wanted["Enabled"] == enabled:
        raise _invalid(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")


def _validate_transaction(data: Data) -> None:
    for item in data["TransactItems"]:
        if "Update" in item:
            _validate_update(item["Update"])


def _validate_update(data: Data) -> None:
    parts = _SECTION.split(data.get("UpdateExpression") or "")
    sections = {}
    for word, text in itertools.pairwise(parts[1:]):
        if not _SECTION.fullmatch(word):
            continue
        if word.upper() in sections:
            raise _invalid(
                f'Invalid UpdateExpression: The "{word.upper()}" section can only be used once in an update expression;'
            )
        sections[word.upper()] = text
    names = data.get("ExpressionAttributeNames") or {}
    paths = sorted(_path(clause, names) for text in sections.values() for clause in _clauses(text))
    for one, other in itertools.pairwise(paths):
        if other[: len(one)] == one:
            raise _invalid(
                "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of "
                f"these paths; path one: [{', '.join(one)}], path two: [{', '.join(other)}]"
            )


def _clauses(section: str) -> list[str]:
    """Return the paths that a section of an expression writes; commas inside of functions separate nothing."""
    flat = re.sub(r"\([^()]*\)", "", section)
    return [re.split(r"[=\s]", clause.strip(), maxsplit=1)[0] for clause in flat.split(",") if clause.strip()]


def _path(text: str, names: dict[str, str]) -> tuple[str, ...]:
    return tuple(names.get(part, part) for part in re.findall(r"#?\w+|\[\d+\]", text))


def _validate_filter(data: Data) -> None:
    table = dynamodb._tables.get(data["TableName"].rsplit("/", 1)[-1]) or {}
    indexes = (table.get("GlobalSecondaryIndexes") or []) + (table.get("LocalSecondaryIndexes") or [])
    schemas = {index["IndexName"]: index["KeySchema"] for index in indexes}
    keys = {key["AttributeName"] for key in schemas.get(data.get("IndexName"), table.get("KeySchema") or [])}
    names = data.get("ExpressionAttributeNames") or {}
    for word in re.findall(r"(?<![:.\w])#?\w+", data.get("FilterExpression") or ""):
        if names.get(word, word) in keys:
            raise _invalid(
                "Filter Expression can only contain non-primary key attributes: "
                f"Primary key attribute: {names.get(word, word)}"
            )


def _invalid(message: str) -> Refused:
    return Refused("ValidationException", message)
