"""A role that may publish may not publish a batch.

Symptom: a function with sns:Publish on a topic is refused PublishBatch, because sns:PublishBatch is required.
Cause: `iam_actions.extract_iam_action` takes the operation's name for the action's; IAM has no sns:PublishBatch.
Patch: PublishBatch requires sns:Publish.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
It can go when upstream does the same.
"""

from typing import Any

from ministack.core import iam_actions


def apply() -> None:
    """Give PublishBatch the action that AWS gives it."""
    original = iam_actions.extract_iam_action

    def extract(*arguments: Any) -> str | None:
        action: str | None = original(*arguments)
        return "sns:Publish" if action == "sns:PublishBatch" else action

    iam_actions.extract_iam_action = extract
