"""Templates cannot set a table's lifetime, recovery and encryption.

Symptom: a table deployed with TimeToLiveSpecification never expires an item; point-in-time recovery is
off; the description shows no encryption.
Cause: `provisioners._ddb_create` and `_ddb_update` leave the three out.
Patch: all three are set, and taken away when the template no longer has them.
It can go when upstream's provisioner sets them.
"""

from ministack.services import dynamodb

from local_engine.compat._provisioners import Properties, after_deploying


def apply() -> None:
    """Give tables the properties that their templates declare."""
    after_deploying("AWS::DynamoDB::Table", _set_properties)


def _set_properties(name: str, properties: Properties) -> None:
    lifetime = properties.get("TimeToLiveSpecification")
    if lifetime:
        enabled = str(lifetime.get("Enabled")).lower() == "true"
        specification = {**lifetime, "Enabled": enabled}
        dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification})
    else:
        dynamodb._ttl_settings.pop(name, None)
    recovery = properties.get("PointInTimeRecoverySpecification") or {}
    dynamodb._pitr_settings[name] = str(recovery.get("PointInTimeRecoveryEnabled")).lower() == "true"
    encryption = properties.get("SSESpecification") or {}
    dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(
        {**encryption, "Enabled": str(encryption.get("SSEEnabled")).lower() == "true"}
    )
