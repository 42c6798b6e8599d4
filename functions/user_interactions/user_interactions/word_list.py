"""The list of blocked words, a parameter in Systems Manager: it changes without a deployment."""

from functools import cache
from typing import Any

from fanout import aws
from user_interactions import settings
from user_interactions.domain import blocked_words

aws.prepare("ssm", if_set="BLOCKED_WORDS_PARAMETER")

# How long a list is cached: a change takes effect after this time at the latest.
_SECONDS = 60


def current() -> tuple[str, ...]:
    """Return the words of the list, at most a minute old. Raises what Systems Manager raises."""
    name = settings.load().blocked_words_parameter
    return blocked_words.parse(str(_parameters().get(name, max_age=_SECONDS))) if name else ()


@cache
def _parameters() -> Any:
    from aws_lambda_powertools.utilities.parameters import SSMProvider  # noqa: PLC0415 - imports boto3

    return SSMProvider(boto3_client=aws.client("ssm"))
