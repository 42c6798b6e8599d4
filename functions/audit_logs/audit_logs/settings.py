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
    """Environment variables of both: they must produce the same documents."""

    sensitive_fields: str = ""
    """Comma-separated paths within `data`; see `masking`."""


chain = settings.cached(ChainSettings)
trail = settings.cached(TrailSettings)


@cache
def sensitive_paths() -> tuple[str, ...]:
    """Return the paths of the sensitive fields. Raises SettingsError for an invalid one."""
    text = settings.load(MaskingSettings).sensitive_fields
    try:
        return masking.parse(text)
    except ValueError as error:
        raise settings.SettingsError(f"environment variable SENSITIVE_FIELDS: {error}") from None
