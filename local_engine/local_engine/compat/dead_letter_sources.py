"""The source queues of a dead-letter queue cannot be listed.

Symptom: ListDeadLetterSourceQueues is an unknown action.
Cause: `sqs._HANDLERS` does not have it.
Patch: it lists the URLs of the queues whose RedrivePolicy names the queue, in pages if MaxResults is given.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html
It can go when upstream has the action.
"""

from typing import Any

from ministack.services import sqs

from local_engine.compat import _queues

_ACTION = "ListDeadLetterSourceQueues"
_MAX_RESULTS = 1000


def apply() -> None:
    """Register the action."""
    sqs._HANDLERS[_ACTION] = _list
    original = sqs._to_xml

    def to_xml(action: str, result: dict[str, Any]) -> Any:
        if action != _ACTION:
            return original(action, result)
        urls = "".join(f"<QueueUrl>{sqs._esc(url)}</QueueUrl>" for url in result["queueUrls"])
        token = f"<NextToken>{sqs._esc(result['NextToken'])}</NextToken>" if "NextToken" in result else ""
        return sqs._xml_resp(200, f"{_ACTION}Response", f"<{_ACTION}Result>{urls}{token}</{_ACTION}Result>")

    sqs._to_xml = to_xml


def _list(data: dict[str, Any], url: str) -> dict[str, Any]:
    queue = sqs._get_q(url, f"sqs:{_ACTION}")
    # The token is the last URL of the page before: queues may come and go between two requests.
    rest = sorted(each for each in _queues.sources(queue["attributes"]["QueueArn"]) if each > data.get("NextToken", ""))
    page = rest[: int(data.get("MaxResults", _MAX_RESULTS))]
    answer: dict[str, Any] = {"queueUrls": [sqs._externalize_url(each) for each in page]}
    if "MaxResults" in data and len(page) < len(rest):
        answer["NextToken"] = page[-1]
    return answer
