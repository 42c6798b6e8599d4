"""The environment variables of the functions of audit_logs."""

from functools import cache

import msgspec

from audit_logs.domain import masking
from fanout import settings


class ChainSettings(msgspec.Struct, frozen=True):
    """Environment variables of record."""

    audit_table: str


class TrailSettings(msgspec.Struct, frozen=True):
    """Environment variables of preserve."""

    trail_bucket: str


class MaskingSettings(msgspec.Struct, frozen=True):
    """Environment variables of both: what is kept must be the same bytes in both places."""

    sensitive_fields: str = ""
    """Paths within `data`, with commas between them; see `masking`."""


@cache
def chain() -> ChainSettings:
    """Return the settings; like both below raises SettingsError naming what is missing."""
    return settings.load(ChainSettings)


@cache
def trail() -> TrailSettings:
    """Return the settings."""
    return settings.load(TrailSettings)


@cache
def sensitive_paths() -> tuple[str, ...]:
    """Return the paths of the sensitive fields. Raises SettingsError for one that cannot be understood."""
    text = settings.load(MaskingSettings).sensitive_fields
    try:
        return masking.parse(text)
    except ValueError as error:
        raise settings.SettingsError(f"environment variable SENSITIVE_FIELDS: {error}") from None
