"""Templates cannot set a topic's properties.

Symptom: a topic deployed with FifoTopic, ContentBasedDeduplication, KmsMasterKeyId and so on has none
of them; a FIFO topic is a standard topic.
Cause: `provisioners._sns_create` and `_sns_update` support DisplayName and inline subscriptions only.
Patch: the properties become the topic's attributes; a FIFO topic without a name gets one that ends in
`.fifo`. (AWS refused such a topic when FIFO topics were new; our own templates name theirs.)
It can go when upstream's provisioner sets them.
"""

import json
from typing import Any

from ministack.services import sns
from ministack.services.cloudformation import provisioners

from local_engine.compat._provisioners import Properties, after_deploying

_TYPE = "AWS::SNS::Topic"
_NAME_LIMIT = 256
_SUFFIX = ".fifo"
_ATTRIBUTES = (
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DeliveryPolicy",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "SignatureVersion",
    "TracingConfig",
)


def apply() -> None:
    """Give topics the attributes that their templates declare."""
    after_deploying(_TYPE, _set_attributes)
    _name_fifo_topics()


def _name_fifo_topics() -> None:
    handler = provisioners._RESOURCE_HANDLERS[_TYPE]
    create = handler["create"]

    def created(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
        if provisioners._cfn_bool(properties.get("FifoTopic")) and not properties.get("TopicName"):
            name = provisioners._physical_name(stack, logical_id, max_len=_NAME_LIMIT - len(_SUFFIX))
            properties = {**properties, "TopicName": name + _SUFFIX}
        result: tuple[str, Properties] = create(logical_id, properties, stack)
        return result

    handler["create"] = created


def _set_attributes(arn: str, properties: Properties) -> None:
    topic = sns._topics[arn]
    attributes = topic["attributes"]
    for name in _ATTRIBUTES:
        if name in properties:
            attributes[name] = _text(properties[name])
        else:
            attributes.pop(name, None)
    if attributes.get("FifoTopic") == "true":
        attributes.setdefault("ContentBasedDeduplication", "false")
        topic.setdefault("dedup_cache", {})
        topic.setdefault("fifo_seq", 0)


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
