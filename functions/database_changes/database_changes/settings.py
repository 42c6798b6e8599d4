"""What the template gives the functions of database_changes, to each what it needs."""

from functools import cache

import msgspec

from fanout import settings


class CaptureSettings(msgspec.Struct, frozen=True):
    """Environment variables of capture."""

    topic_arn: str
    unpublished_bucket: str
    """Where changes go that cannot be published."""


class DynamoDbSettings(msgspec.Struct, frozen=True):
    """Environment variables of replicate_to_dynamodb."""

    primary_table: str
    """The one table that the replica is of."""
    replica_table: str


class SqlSettings(msgspec.Struct, frozen=True):
    """Environment variables of replicate_to_sql."""

    sql_secret_arn: str
    """The secret with the replica's DSN."""


@cache
def capture() -> CaptureSettings:
    """Return the settings; like all below raises SettingsError naming what is missing."""
    return settings.load(CaptureSettings)


@cache
def dynamodb() -> DynamoDbSettings:
    """Return the settings."""
    return settings.load(DynamoDbSettings)


@cache
def sql() -> SqlSettings:
    """Return the settings."""
    return settings.load(SqlSettings)
