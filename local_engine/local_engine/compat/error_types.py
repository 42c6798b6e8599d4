"""A function's exception loses its name.

Symptom: the errorType of every exception is Runtime.HandlerError, so no Retry or Catch of a state machine that
names an exception ever matches, and States.ALL retries what must not be tried again.
Cause: the worker answers with the text of the exception only, and `lambda_svc._execute_function_warm` writes the name.
Patch: the worker answers with the class's name too, and it becomes the errorType, as on AWS.
It can go when upstream's worker reports the name.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local_engine.compat._text import replace_once

_ANSWER = '{"status": "error", "error": str(e), "trace"'


class _Message(str):
    """The text of an exception, with the exception's name: upstream passes only the text on unchanged."""

    __slots__ = ("error_type",)
    error_type: str


def apply() -> None:
    """Hand the name on."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    named = _ANSWER.replace("str(e), ", 'str(e), "fanout_type": type(e).__name__, ')
    lambda_runtime._PYTHON_WORKER_SCRIPT = replace_once(script, _ANSWER, named)
    invoke, execute = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm

    def invoke_named(worker: Any, *arguments: Any, **named_arguments: Any) -> Any:
        answer = invoke(worker, *arguments, **named_arguments)
        if "fanout_type" in answer:
            answer["error"] = _Message(answer["error"])
            answer["error"].error_type = answer.pop("fanout_type")
        return answer

    def execute_named(function: Any, event: Any, request_id: str) -> Any:
        result = execute(function, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and isinstance(body.get("errorMessage"), _Message):
            body["errorType"] = body["errorMessage"].error_type
        return result

    lambda_runtime.Worker.invoke = invoke_named
    lambda_svc._execute_function_warm = execute_named
