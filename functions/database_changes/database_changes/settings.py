"""The environment variables of the functions of database_changes."""

import msgspec

from fanout import settings


class CaptureSettings(msgspec.Struct, frozen=True):
    """Environment variables of capture."""

    topic_arn: str
    unpublished_bucket: str
    """Where changes that cannot be published are stored."""


class DynamoDbSettings(msgspec.Struct, frozen=True):
    """Environment variables of replicate_to_dynamodb."""

    primary_table: str
    """The replicated table."""
    replica_table: str


class SqlSettings(msgspec.Struct, frozen=True):
    """Environment variables of replicate_to_sql."""

    sql_secret_arn: str
    """The secret with the replica's DSN."""


capture = settings.cached(CaptureSettings)
dynamodb = settings.cached(DynamoDbSettings)
sql = settings.cached(SqlSettings)
