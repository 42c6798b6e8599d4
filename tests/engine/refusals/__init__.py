"""What AWS refuses: one module per service, each with a tuple REFUSALS. docs/aws-rules.md is generated from them."""

from tests.engine.refusals import functions, queues, topics
from tests.engine.refusals.refusal import Refusal

SERVICES: dict[str, tuple[Refusal, ...]] = {
    "SQS": queues.REFUSALS,
    "SNS": topics.REFUSALS,
    "Lambda": functions.REFUSALS,
}
"""{service, as the page names it: its rules}"""
