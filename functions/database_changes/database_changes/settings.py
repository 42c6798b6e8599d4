"""The environment variables of the functions of database_changes."""

from functools import cache

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
