"""One thing that AWS refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine_tests.aws import Aws

Template = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """A rule of AWS, a call that breaks it, and a template that does, with one fault planted.

    A rule that only an API call can break has no template; one that only a deployment can break has no call.
    """

    id: str
    """service and rule in kebab case, unique: sqs-policy-names-one-resource"""
    rule: str
    """one sentence: what AWS accepts"""
    source: str
    """address of the page, service model or public report that says so"""
    code: str
    """AWS's error code, as botocore reports it: InvalidAttributeValue"""
    text: str
    """the part of AWS's message that identifies this refusal"""
    held: str
    """who refuses: ministack, a module of local_engine (strictness/queues.py), or a rule of lint (E9118)"""
    call: Callable[[Aws], object] | None = None
    """makes the call that AWS refuses; resources that it needs are made by it, too"""
    template: Template | Callable[[Aws], Template] | None = None
    """a template whose deployment AWS refuses; a function makes one that needs resources to exist"""
    previous: Template | Callable[[Aws], Template] | None = None
    """what is deployed before, for a rule about updates"""
