"""PublishBatch needs an action of its own, and on a standard topic it drops the message group.

Symptom: a function with sns:Publish on a topic is refused PublishBatch, because sns:PublishBatch is required. A message
published in a batch has no MessageGroupId in a standard queue; one published alone has.
Cause: `iam_actions.extract_iam_action` takes the operation's name for the action's; IAM has no sns:PublishBatch.
`sns._publish_batch` passes the group on only for a FIFO topic.
Patch: PublishBatch requires sns:Publish. An entry's attributes carry its group to `sns._fanout`.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
https://docs.aws.amazon.com/sns/latest/dg/fifo-message-grouping.html
It can go when upstream does the same.
"""

from typing import Any

from ministack.core import iam_actions
from ministack.services import sns


class _Attributes(dict[str, Any]):
    """The message attributes of an entry, with its message group."""

    group = ""


def apply() -> None:
    """Give PublishBatch the action that AWS gives it, and standard queues the message group."""
    original = iam_actions.extract_iam_action

    def extract(*arguments: Any) -> str | None:
        action: str | None = original(*arguments)
        return "sns:Publish" if action == "sns:PublishBatch" else action

    iam_actions.extract_iam_action = extract
    parse, send = sns._parse_batch_entries, sns._fanout

    def parse_batch_entries(params: Any) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = parse(params)
        for entry in entries:
            attributes = _Attributes(entry.get("message_attributes") or {})
            attributes.group = entry.get("message_group_id") or ""
            entry["message_attributes"] = attributes
        return entries

    def fanout(*arguments: Any, **named: Any) -> None:
        attributes = next((each for each in arguments if isinstance(each, _Attributes)), None)
        if attributes is not None and attributes.group:
            named.setdefault("message_group_id", attributes.group)
        send(*arguments, **named)

    sns._parse_batch_entries, sns._fanout = parse_batch_entries, fanout
