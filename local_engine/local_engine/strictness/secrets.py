"""What Secrets Manager refuses of secrets.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
"""

import re

from ministack.services import secretsmanager

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning

_VALUE_LIMIT = 65_536


def apply() -> None:
    """Validate secrets, whether they come over the API or from CloudFormation, and reads of those without a value."""
    before(secretsmanager, "_create_secret", _validate)
    before(secretsmanager, "_put_secret_value", _validate_value)
    before(secretsmanager, "_get_secret_value", _require_value)
    before_provisioning("AWS::SecretsManager::Secret", _validate_resource)


def _validate(data: Data) -> None:
    if not re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", data["Name"]):
        raise Refused(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )
    _validate_value(data)


def _validate_value(data: Data) -> None:
    if data.get("SecretString") is not None and data.get("SecretBinary") is not None:
        raise Refused(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )
    if len((data.get("SecretString") or "").encode()) > _VALUE_LIMIT:
        raise Refused(
            "ValidationException",
            "1 validation error detected: Value at 'secretString' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_VALUE_LIMIT}",
        )


def _validate_resource(properties: Data) -> None:
    if properties.get("SecretString") is not None and properties.get("GenerateSecretString") is not None:
        raise Refused("InvalidRequest", "You can't specify both SecretString and GenerateSecretString.")
    if properties.get("Name"):
        _validate({"Name": properties["Name"], "SecretString": properties.get("SecretString")})


def _require_value(data: Data) -> None:
    _, secret = secretsmanager._resolve(data["SecretId"])
    if (
        secret
        and not secret.get("DeletedDate")
        and not any(
            version.get("SecretString") is not None or version.get("SecretBinary") is not None
            for version in secret["Versions"].values()
        )
    ):
        raise Refused(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
        )
