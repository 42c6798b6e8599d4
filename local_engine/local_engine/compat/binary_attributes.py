"""Binary message attributes are lost on their way through SNS.

Symptom: in the notification the Value of a Binary attribute is empty; in a batch the attribute has no value at all.
Cause: `sns._build_envelope` and `_parse_batch_entries` read StringValue only.
Patch: a notification has the value in base64, as AWS sends it, and a batch keeps it.
https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
It can go when upstream reads BinaryValue in both.
"""

from typing import Any

from ministack.services import sns


def apply() -> None:
    """Read BinaryValue where upstream reads StringValue only."""
    build = sns._build_envelope

    def build_envelope(  # noqa: PLR0917 - upstream's signature
        topic: str, message_id: str, message: str, subject: str, attributes: dict[str, Any], raw: bool
    ) -> Any:
        shown = {name: _with_text(attribute) for name, attribute in attributes.items()}
        return build(topic, message_id, message, subject, shown, raw)

    sns._build_envelope = build_envelope
    parse = sns._parse_batch_entries

    def parse_batch_entries(params: dict[str, Any]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = parse(params)
        for number, entry in enumerate(entries, 1):
            prefix = f"PublishBatchRequestEntries.member.{number}."
            own = {key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)}
            entry["message_attributes"] = sns._parse_message_attributes(own)
        return entries

    sns._parse_batch_entries = parse_batch_entries


def _with_text(attribute: dict[str, Any]) -> dict[str, Any]:
    # The request has the value in base64 already.
    binary = attribute.get("BinaryValue")
    return {**attribute, "StringValue": binary} if binary else attribute
