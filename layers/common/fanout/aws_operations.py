"""The operations that `fanout.aws_calls` carries out itself: their parameters, and what their answers hold.

The parameters are listed because AWS ignores those it does not know: a misspelt `ConditionExpression` would write
without its condition. A test compares them with botocore's models.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

import msgspec
from msgspec import UNSET, UnsetType

Fields = Mapping[str, "Fields | None"]
"""The parameters of an operation by name, with those inside a parameter that has some of its own; "*" is any name."""


class Operation(NamedTuple):
    """One operation of a service."""

    name: str
    fields: Fields


class AttributeValue(TypedDict, total=False):
    """A value as DynamoDB describes it. msgspec decodes the binary ones from base64."""

    S: str
    N: str
    B: bytes
    SS: list[str]
    NS: list[str]
    BS: list[bytes]
    M: dict[str, "AttributeValue"]
    L: list["AttributeValue"]
    NULL: bool
    BOOL: bool


Item = dict[str, AttributeValue]


class _Keys(TypedDict, total=False):
    Keys: list[Item]
    AttributesToGet: list[str]
    ConsistentRead: bool
    ProjectionExpression: str
    ExpressionAttributeNames: dict[str, str]


class _Put(TypedDict, total=False):
    Item: Item


class _Delete(TypedDict, total=False):
    Key: Item


class _Write(TypedDict, total=False):
    PutRequest: _Put
    DeleteRequest: _Delete


class DynamoDBAnswer(TypedDict, total=False):
    """The answers of the operations below, in one."""

    Item: Item
    Attributes: Item
    Items: list[Item]
    Count: int
    ScannedCount: int
    LastEvaluatedKey: Item
    Responses: dict[str, list[Item]]
    UnprocessedKeys: dict[str, _Keys]
    UnprocessedItems: dict[str, list[_Write]]
    ConsumedCapacity: Any
    ItemCollectionMetrics: Any


class _Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    S: str | UnsetType = UNSET
    N: str | UnsetType = UNSET
    B: bytes | UnsetType = UNSET
    SS: list[str] | UnsetType = UNSET
    NS: list[str] | UnsetType = UNSET
    BS: list[bytes] | UnsetType = UNSET
    M: dict[str, "_Value"] | UnsetType = UNSET
    L: list["_Value"] | UnsetType = UNSET
    NULL: bool | UnsetType = UNSET
    BOOL: bool | UnsetType = UNSET


_Values = dict[str, _Value] | UnsetType


class DynamoDBValues(msgspec.Struct):
    """Where the parameters of the operations below hold attribute values, for validation before they are sent."""

    Item: _Values = UNSET
    Key: _Values = UNSET
    Keys: list[dict[str, _Value]] | UnsetType = UNSET
    ExpressionAttributeValues: _Values = UNSET
    ExclusiveStartKey: _Values = UNSET
    TransactItems: list[dict[str, "DynamoDBValues"]] | UnsetType = UNSET
    RequestItems: "dict[str, list[dict[str, DynamoDBValues]] | DynamoDBValues] | UnsetType" = UNSET


class CancellationReason(TypedDict, total=False):
    """Why a transaction was cancelled, for one of its actions."""

    Code: str
    Message: str | None
    Item: Item


class DynamoDBError(TypedDict, total=False):
    """What an error's body holds beside code and message."""

    Item: Item
    CancellationReasons: list[CancellationReason]
    ThrottlingReasons: Any
    throttlingReasons: Any


def _fields(names: str, **nested: Fields) -> Fields:
    return {**dict.fromkeys(names.split()), **nested}


def _same_names(names: str) -> dict[str, str]:
    return {name: name for name in names.split()}


_EXPRESSION = "TableName ConditionExpression ExpressionAttributeNames ExpressionAttributeValues"
_ON_FAILURE = "ReturnValuesOnConditionCheckFailure"
_CONDITION = f"{_EXPRESSION} {_ON_FAILURE}"
_WRITE = f"{_CONDITION} Expected ConditionalOperator ReturnValues ReturnConsumedCapacity ReturnItemCollectionMetrics"
_ATTRIBUTE = _fields("DataType StringValue BinaryValue StringListValues BinaryListValues")
_MESSAGE = "MessageBody DelaySeconds MessageDeduplicationId MessageGroupId"
_VISIBILITY = "ReceiptHandle VisibilityTimeout"

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "dynamodb": {
        "put_item": Operation("PutItem", _fields(f"{_WRITE} Item")),
        "update_item": Operation("UpdateItem", _fields(f"{_WRITE} Key UpdateExpression AttributeUpdates")),
        "delete_item": Operation("DeleteItem", _fields(f"{_WRITE} Key")),
        "get_item": Operation(
            "GetItem",
            _fields(
                "TableName Key AttributesToGet ConsistentRead ReturnConsumedCapacity ProjectionExpression"
                " ExpressionAttributeNames"
            ),
        ),
        "query": Operation(
            "Query",
            _fields(
                "TableName IndexName Select AttributesToGet Limit ConsistentRead KeyConditions QueryFilter"
                " ConditionalOperator ScanIndexForward ExclusiveStartKey ReturnConsumedCapacity ProjectionExpression"
                " FilterExpression KeyConditionExpression ExpressionAttributeNames ExpressionAttributeValues"
            ),
        ),
        "batch_get_item": Operation(
            "BatchGetItem",
            _fields(
                "ReturnConsumedCapacity",
                RequestItems={
                    "*": _fields("Keys AttributesToGet ConsistentRead ProjectionExpression ExpressionAttributeNames")
                },
            ),
        ),
        "batch_write_item": Operation(
            "BatchWriteItem",
            _fields(
                "ReturnConsumedCapacity ReturnItemCollectionMetrics",
                RequestItems={"*": _fields("", PutRequest=_fields("Item"), DeleteRequest=_fields("Key"))},
            ),
        ),
        "transact_write_items": Operation(
            "TransactWriteItems",
            _fields(
                "ReturnConsumedCapacity ReturnItemCollectionMetrics ClientRequestToken",
                TransactItems=_fields(
                    "",
                    ConditionCheck=_fields(f"{_CONDITION} Key"),
                    Put=_fields(f"{_CONDITION} Item"),
                    Delete=_fields(f"{_CONDITION} Key"),
                    Update=_fields(f"{_CONDITION} Key UpdateExpression"),
                ),
            ),
        ),
    },
    "sqs": {
        "send_message": Operation(
            "SendMessage", _fields(f"QueueUrl MessageAttributes MessageSystemAttributes {_MESSAGE}")
        ),
        "send_message_batch": Operation(
            "SendMessageBatch",
            _fields("QueueUrl", Entries=_fields(f"Id MessageAttributes MessageSystemAttributes {_MESSAGE}")),
        ),
        "change_message_visibility": Operation("ChangeMessageVisibility", _fields(f"QueueUrl {_VISIBILITY}")),
        "change_message_visibility_batch": Operation(
            "ChangeMessageVisibilityBatch", _fields("QueueUrl", Entries=_fields(f"Id {_VISIBILITY}"))
        ),
    },
    "sns": {
        "publish_batch": Operation(
            "PublishBatch",
            _fields(
                "TopicArn",
                PublishBatchRequestEntries=_fields(
                    "Id Message Subject MessageStructure MessageAttributes MessageDeduplicationId MessageGroupId"
                ),
            ),
        ),
    },
}

# The codes that botocore has a class for, and its name. Any other code raises a plain ClientError.
ERRORS: Mapping[str, Mapping[str, str]] = {
    "dynamodb": _same_names(
        "BackupInUseException BackupNotFoundException ConditionalCheckFailedException "
        "ContinuousBackupsUnavailableException DuplicateItemException ExportConflictException "
        "ExportNotFoundException GlobalTableAlreadyExistsException GlobalTableNotFoundException "
        "IdempotentParameterMismatchException ImportConflictException ImportNotFoundException "
        "IndexNotFoundException InternalServerError InvalidExportTimeException InvalidRestoreTimeException "
        "ItemCollectionSizeLimitExceededException LimitExceededException "
        "PointInTimeRecoveryUnavailableException PolicyNotFoundException "
        "ProvisionedThroughputExceededException ReplicaAlreadyExistsException ReplicaNotFoundException "
        "ReplicatedWriteConflictException RequestLimitExceeded ResourceInUseException "
        "ResourceNotFoundException TableAlreadyExistsException TableInUseException TableNotFoundException "
        "ThrottlingException TransactionCanceledException TransactionConflictException "
        "TransactionInProgressException"
    ),
    "sqs": _same_names(
        "BatchEntryIdsNotDistinct BatchRequestTooLong EmptyBatchRequest InvalidAddress InvalidAttributeName "
        "InvalidAttributeValue InvalidBatchEntryId InvalidIdFormat InvalidMessageContents InvalidSecurity "
        "KmsAccessDenied KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired "
        "KmsThrottled MessageNotInflight OverLimit PurgeQueueInProgress QueueDeletedRecently "
        "QueueDoesNotExist QueueNameExists ReceiptHandleIsInvalid RequestThrottled ResourceNotFoundException "
        "TooManyEntriesInBatchRequest UnsupportedOperation"
    ),
    "sns": {
        code: f"{code}Exception"
        for code in _same_names(
            "AuthorizationError BatchEntryIdsNotDistinct BatchRequestTooLong ConcurrentAccess EmptyBatchRequest "
            "EndpointDisabled FilterPolicyLimitExceeded InternalError InvalidBatchEntryId InvalidParameter "
            "InvalidSecurity InvalidState KMSAccessDenied KMSDisabled KMSInvalidState KMSNotFound KMSThrottling "
            "NotFound OptedOut PlatformApplicationDisabled ReplayLimitExceeded ResourceNotFound StaleTag "
            "SubscriptionLimitExceeded TagLimitExceeded TagPolicy Throttled TooManyEntriesInBatchRequest "
            "TopicLimitExceeded UserError"
        )
    }
    | {
        "KMSOptInRequired": "KMSOptInRequired",
        "ParameterValueInvalid": "InvalidParameterValueException",
        "ValidationException": "ValidationException",
        "VerificationException": "VerificationException",
    },
}

# Errors whose body does not hold the message as `message`.
MESSAGE_MEMBERS: Mapping[str, str] = {
    "IdempotentParameterMismatchException": "Message",
    "TransactionCanceledException": "Message",
    "TransactionInProgressException": "Message",
    "InvalidIdFormat": "",
    "MessageNotInflight": "",
}
