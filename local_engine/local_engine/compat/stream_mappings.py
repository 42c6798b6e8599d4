"""Event source mappings of DynamoDB streams lose records, and hold up every queue.

Symptom: the partial batch response of a function on a stream is ignored, so what it wants again is gone; a failing
batch is retried forever, MaximumRetryAttempts or not; an S3 bucket as on-failure destination gets nothing; the role
needs no permission; no queue is polled while such a function runs; what the function has not read when the engine
stops is forgotten, and after the next start new records are skipped until there are as many as before.
Cause: `lambda_svc._poll_dynamodb_streams` invokes on the poller's own thread and reads `error` only;
`dynamodb.get_state` keeps the tables without their streams' records, while Lambda's state has the positions.
Patch: a poll of our own, which passes batches to the threads that queues' batches run on, continues from the first
record that failed, and ends a batch whose retries or age are used up as AWS does; the records become part of the state.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
It can go when upstream does these.
"""

import json
import time
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.concurrency import esm_wake
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import dynamodb, firehose, lambda_svc, sqs

from local_engine.compat import _phases, _queues
from local_engine.compat._permissions import role_allows

Mapping = dict[str, Any]
Record = dict[str, Any]

_ACTIONS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
_DENIED = "PROBLEM: The function execution role does not have permissions to call {action} on DynamoDB"
_SHARD = "shardId-00000000000000000000-00000000"
_LONGEST_PAUSE = 10.0
_STATE = ("_stream_records", "_stream_trimmed")

# How often in a row the batch that a mapping stands at has failed.
_failures: dict[str, int] = {}


def apply() -> None:
    """Replace the poller of streams, and keep their records."""
    lambda_svc._poll_dynamodb_streams = _poll
    get_state, restore_state = dynamodb.get_state, dynamodb._restore_state

    def with_records() -> dict[str, Any]:
        return {**get_state(), **{f"fanout{name}": getattr(dynamodb, name) for name in _STATE}}

    def restored(data: dict[str, Any] | None) -> None:
        restore_state(data)
        for name in _STATE:
            getattr(dynamodb, name).update((data or {}).get(f"fanout{name}", {}))

    dynamodb.get_state, dynamodb._restore_state = with_records, restored


def _poll() -> bool:
    """Start a batch of every mapping that has one and runs none. Returns whether there was one."""
    began = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            table = _table(mapping)
            if table is not None and _is_due(mapping):
                began = _begin(mapping, table) or began
    return began


def _table(mapping: Mapping) -> str | None:
    """Return the name of the table whose present stream the mapping reads."""
    try:
        source = parse_arn(mapping.get("EventSourceArn", ""))
    except ArnParseError:
        return None
    if source.service != "dynamodb" or (source.account_id, source.region) != (get_account_id(), get_region()):
        return None
    name = (lambda_svc._dynamodb_stream_table_from_arn_spec(source) or ("", ""))[0]
    table = dynamodb._tables.get(name)
    return name if table and table.get("LatestStreamArn") == mapping["EventSourceArn"] else None


def _is_due(mapping: Mapping) -> bool:
    identifier = mapping["UUID"]
    if not mapping.get("Enabled", True) or lambda_svc._esm_inflight.get(identifier):
        return False
    return bool(lambda_svc._esm_backoff_until.get(identifier, 0) <= time.time())


def _begin(mapping: Mapping, table: str) -> bool:
    function, config = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    if function is None:
        return False
    denied = next((each for each in _ACTIONS if not role_allows(config["Role"], each, mapping["EventSourceArn"])), None)
    if denied:
        mapping["LastProcessingResult"] = _DENIED.format(action=denied)
        return False
    lambda_svc._init_stream_position(mapping["UUID"], mapping["EventSourceArn"], mapping["StartingPosition"])
    horizon = dynamodb.stream_start_position(table)
    position = max(_positions()[mapping["UUID"]], horizon)
    if position > dynamodb.stream_end_position(table):
        position = horizon  # the state is of an engine that kept positions without their records
    batch = dynamodb.stream_records_since(table, position, int(mapping.get("BatchSize", 100)))
    if not batch:
        return False
    account, region = get_account_id(), get_region()

    def run() -> None:
        with request_scope(account, region):
            _run(mapping, function, position, batch)

    lambda_svc._dispatch_esm_batch(mapping["UUID"], run)
    return True


def _run(mapping: Mapping, function: dict[str, Any], position: int, batch: list[Record]) -> None:
    identifier = mapping["UUID"]
    wanted = lambda_svc._apply_filter_criteria(batch, mapping)
    result = lambda_svc._execute_function(function, {"Records": wanted}) if wanted else {}
    if _phases.stopping.is_set() and result.get("error"):
        return  # the worker was ended with the engine: not the function's failure
    done = _done(mapping, result, batch)
    _positions()[identifier] = position + done
    if done == len(batch):
        _failures.pop(identifier, None)
        mapping["LastProcessingResult"] = "OK"
        return
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    failures = _failures[identifier] = 1 if done else _failures.get(identifier, 0) + 1
    condition = _exhausted(mapping, failures, batch[done])
    if condition:
        _give_up(mapping, function, batch[done:], condition, failures)
        _positions()[identifier] = position + len(batch)
        _failures.pop(identifier, None)
        return
    lambda_svc._esm_backoff_until[identifier] = time.time() + min(_LONGEST_PAUSE, 0.25 * 2.0**failures)


def _done(mapping: Mapping, result: dict[str, Any], batch: list[Record]) -> int:
    """Return how many of the batch's records are handled: all before the first that failed."""
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return len(batch)
    body = result.get("body")
    answer = json.loads(body) if isinstance(body, str | bytes) and body else body
    failed = [each.get("itemIdentifier") for each in (answer or {}).get("batchItemFailures") or []]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    # An identifier that is none of the batch's means that all of it has failed.
    return min((numbers.index(each) if each in numbers else 0 for each in failed), default=len(batch))


def _exhausted(mapping: Mapping, failures: int, first: Record) -> str | None:
    retries = int(mapping.get("MaximumRetryAttempts", -1))
    if 0 <= retries < failures:
        return "RetryAttemptsExhausted"
    longest = int(mapping.get("MaximumRecordAgeInSeconds", -1))
    age = time.time() - float(first["dynamodb"]["ApproximateCreationDateTime"])
    return "MaxRecordAgeExceeded" if 0 < longest < age else None


def _give_up(mapping: Mapping, function: dict[str, Any], batch: list[Record], condition: str, failures: int) -> None:
    """Notify the on-failure destination; only S3 gets the records themselves."""
    target = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    lambda_svc.logger.warning("%s: gave up %d records (%s)", mapping["FunctionName"], len(batch), condition)
    if not target:
        return
    config = function.get("config") or function
    document = _document(mapping, config, batch, condition, failures)
    service = parse_arn(target).service
    if service == "s3" and role_allows(config["Role"], "s3:PutObject", f"{target}/aws/lambda/x"):
        now = time.gmtime()
        name = f"{time.strftime('%Y-%m-%dT%H.%M.%S', now)}-{new_uuid()}"
        key = f"aws/lambda/{mapping['UUID']}/{_SHARD}/{time.strftime('%Y/%m/%d', now)}/{name}"
        body = json.dumps({**document, "payload": json.dumps({"Records": batch})}).encode()
        firehose._put_s3_object(parse_arn(target).resource, key, body)
    elif service == "sqs" and role_allows(config["Role"], "sqs:SendMessage", target):
        queue = sqs._queue_by_arn(target)
        if queue is not None:
            _queues.deliver(queue, json.dumps(document))
    else:
        lambda_svc.logger.error("%s: its on-failure destination %s takes nothing", mapping["FunctionName"], target)
    esm_wake.set()


def _document(
    mapping: Mapping, config: dict[str, Any], batch: list[Record], condition: str, failures: int
) -> dict[str, Any]:
    first, last = batch[0]["dynamodb"], batch[-1]["dynamodb"]
    return {
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": mapping["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": failures,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": config.get("Version", "$LATEST"),
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": _time(time.time()),
        "DDBStreamBatchInfo": {
            "shardId": _SHARD,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _time(float(first["ApproximateCreationDateTime"])),
            "approximateArrivalOfLastRecord": _time(float(last["ApproximateCreationDateTime"])),
            "batchSize": len(batch),
            "streamArn": mapping["EventSourceArn"],
        },
    }


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _positions() -> Any:
    return lambda_svc._dynamodb_stream_positions
