"""A deployed event source mapping keeps its numbers as text, and its old qualifier when it is updated.

Symptom: a BatchSize or MaximumConcurrency that comes from a template's parameter stops the polling of every
queue; a mapping that is led from a function's alias to the function itself continues to invoke the alias.
Cause: `provisioners._lambda_esm_create` and `_lambda_esm_update` copy what the template says; the update sets
FunctionArn and leaves Qualifier.
Patch: numbers are numbers, and the qualifier is that of FunctionArn.
It can go when upstream does these.
"""

from typing import Any

from ministack.services import lambda_svc

from local_engine.compat._provisioners import Properties, after_deploying

_NUMBERS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
)


def apply() -> None:
    """Correct a mapping after its creation and after each update."""
    after_deploying("AWS::Lambda::EventSourceMapping", _correct)


def _correct(mapping_id: str, _: Properties) -> None:
    mapping: dict[str, Any] = lambda_svc._esms[mapping_id]
    mapping.update({name: int(mapping[name]) for name in _NUMBERS if name in mapping})
    scaling = mapping.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        mapping["ScalingConfig"] = {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}
    _, _, qualifier = mapping["FunctionArn"].partition(":function:")[2].partition(":")
    mapping["Qualifier"] = qualifier or None
