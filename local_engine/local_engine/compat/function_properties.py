"""Templates cannot set some of a function's properties.

Symptom: ReservedConcurrentExecutions and DeadLetterConfig of a deployed function are missing.
Cause: `provisioners._lambda_create` and `_lambda_update` leave them out.
Patch: both are set, and taken away when the template no longer has them.
It can go when upstream's provisioner sets them.
"""

from ministack.services import lambda_svc

from local_engine.compat._provisioners import Properties, after_deploying


def apply() -> None:
    """Give functions the properties that their templates declare."""
    after_deploying("AWS::Lambda::Function", _set_properties)


def _set_properties(name: str, properties: Properties) -> None:
    function = lambda_svc._functions[name]
    reserved = properties.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)
    if properties.get("DeadLetterConfig"):
        function["config"]["DeadLetterConfig"] = properties["DeadLetterConfig"]
    else:
        function["config"].pop("DeadLetterConfig", None)
