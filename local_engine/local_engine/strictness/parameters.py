"""What SSM Parameter Store refuses.

https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

import re

from ministack.services import ssm

from local_engine.strictness._refusing import Data, Refused, before

_LIMITS = {"Standard": 4096, "Intelligent-Tiering": 8192, "Advanced": 8192}


def apply() -> None:
    """Validate parameters, which CloudFormation puts over the same function."""
    before(ssm, "_put_parameter", _validate)


def _validate(data: Data) -> None:
    name = data["Name"]
    if not re.fullmatch(r"[\w.\-/]+", name, re.ASCII):
        raise _invalid(
            "Parameter name must be a fully qualified name of letters, numbers and the symbols .-_ and slashes between"
        )
    if "/" in name and not name.startswith("/"):
        raise _invalid("Parameter name must be a fully qualified name.")
    if name.count("/") > 15:
        raise Refused("HierarchyLevelLimitExceededException", "A parameter name has 15 levels at most.")
    tier = data.get("Tier", "Standard")
    if len(data["Value"].encode()) > _LIMITS[tier]:
        raise _invalid(
            f"{tier} tier parameters support a maximum parameter value of {_LIMITS[tier]} characters. "
            "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        )
    pattern = data.get("AllowedPattern")
    if pattern and not re.search(pattern, data["Value"]):
        raise Refused(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )
    known = (ssm._parameters.get(name) or {}).get("Tier")
    if known == "Advanced" and data.get("Overwrite") and data.get("Tier") == "Standard":
        raise _invalid("This parameter uses the advanced-parameter tier. You can't downgrade it to the standard tier.")


def _invalid(message: str) -> Refused:
    return Refused("ValidationException", message)
