"""Starting, finding and stopping an engine, and what can go wrong with it."""

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine_tests.aws import Aws, allow
from local_engine import process
from local_engine.paths import Places
from tests.waiting import until


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder with a space in its path; its engine is stopped after the test."""
    folder = tmp_path / "a state"
    yield folder
    process.stop(folder)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def workers(engine: process.Engine) -> list[int]:
    return [child.pid for child in psutil.Process(engine.pid).children(recursive=True)]


def start_in_another_process(state: Path, results: "multiprocessing.Queue[int]") -> None:
    results.put(process.start(state, 0).pid)


def test_an_engine_that_runs_is_found_and_one_that_was_stopped_is_not(state: Path) -> None:
    assert process.running(state) is None
    engine = process.start(state, 0)
    assert process.running(state) == engine
    assert process.start(state) == engine
    assert process.stop(state)
    assert gone(engine.pid)
    assert process.running(state) is None
    assert not process.stop(state)


def test_the_port_is_remembered(state: Path) -> None:
    first = process.start(state, 0)
    process.stop(state)
    assert process.start(state).port == first.port


def test_two_that_start_at_once_get_the_same_engine(state: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = context.Queue()
    starters = [context.Process(target=start_in_another_process, args=(state, results)) for _ in range(2)]
    for starter in starters:
        starter.start()
    pids = {results.get(timeout=60) for _ in starters}
    for starter in starters:
        starter.join(timeout=60)
    assert len(pids) == 1
    engine = process.running(state)
    assert engine is not None
    assert pids == {engine.pid}


def test_two_engines_run_side_by_side(aws: Aws, state: Path) -> None:
    engine = process.start(state, 0)
    assert engine.port != aws.engine.port
    mine = Aws(engine)
    mine.sqs.create_queue(QueueName="only-here")
    assert aws.sqs.list_queues(QueueNamePrefix="only-here").get("QueueUrls", []) == []


def test_a_port_that_another_program_uses_is_refused_and_named(state: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(process.EngineError) as failure:
            process.start(state, port)
    assert f"Port {port} is in use by" in str(failure.value)
    assert f"(process {os.getpid()})" in str(failure.value)
    assert "--port" in str(failure.value)
    assert process.running(state) is None


def test_a_port_of_another_engine_is_refused_and_its_folder_named(aws: Aws, state: Path) -> None:
    with pytest.raises(process.EngineError, match=r"the engine of .*engine0"):
        process.start(state, aws.engine.port)


def test_another_port_than_the_running_one_is_refused(state: Path) -> None:
    engine = process.start(state, 0)
    with pytest.raises(process.EngineError, match=f"already runs on port {engine.port}.*stop it first"):
        process.start(state, engine.port + 1)


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_invalid_port_is_refused(state: Path, port: int) -> None:
    with pytest.raises(process.EngineError, match="is not a port"):
        process.start(state, port)


def test_a_missing_environment_names_the_next_step(state: Path) -> None:
    with pytest.raises(process.EngineError, match=r"environment is missing.*nowhere.*Create it"):
        process.start(state, 0, environment=state / "nowhere")


def test_a_broken_environment_names_the_next_step(state: Path, tmp_path: Path) -> None:
    python = tmp_path / "broken" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("not a program")
    python.chmod(0o755)
    with pytest.raises(process.EngineError, match=r"cannot be run.*Create it again"):
        process.start(state, 0, environment=tmp_path / "broken")


def test_a_boot_that_fails_shows_the_end_of_the_log(state: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").symlink_to(sys.executable)  # has no ministack
    with pytest.raises(process.EngineError, match=r"did not start(.|\n)*No module named") as failure:
        process.start(state, 0, environment=broken)
    assert str(Places(state).log) in str(failure.value)
    assert process.running(state) is None


def test_a_state_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(process.EngineError, match="Cannot write the engine's state"):
        process.start(file / "state", 0)


def test_a_killed_engine_is_noticed_its_workers_go_and_the_next_start_works(state: Path) -> None:
    engine = process.start(state, 0)
    account = Aws(engine)
    account.client("lambda").invoke(FunctionName=account.function("def handler(event, context): pass"))
    (worker,) = workers(engine)
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: gone(engine.pid), "the end of the killed engine")
    assert process.running(state) is None
    again = process.start(state)
    assert again.pid != engine.pid
    until(lambda: gone(worker), "the end of the orphaned worker")


def test_a_stop_leaves_no_process_and_no_unpacked_code(state: Path) -> None:
    engine = process.start(state, 0)
    account = Aws(engine)
    account.client("lambda").invoke(FunctionName=account.function("def handler(event, context): pass"))
    family = workers(engine)
    assert family
    process.stop(state)
    assert all(gone(pid) for pid in family)
    assert not Places(state).temporary.exists()


def test_an_engine_whose_folder_is_deleted_ends_by_itself(state: Path) -> None:
    engine = process.start(state, 0)
    shutil.rmtree(state)
    until(lambda: gone(engine.pid), "the end of the engine")
    assert not state.exists()


def test_purge_deletes_everything(state: Path) -> None:
    engine = process.start(state, 0)
    Aws(engine).sqs.create_queue(QueueName="lost")
    process.stop(state, purge=True)
    assert [file.name for file in state.iterdir()] == ["engine.lock"]
    assert Aws(process.start(state, 0)).sqs.list_queues().get("QueueUrls", []) == []


def test_nothing_listens_beyond_loopback(aws: Aws) -> None:
    family = [psutil.Process(aws.engine.pid), *psutil.Process(aws.engine.pid).children(recursive=True)]
    addresses = {
        (connection.laddr.ip, connection.laddr.port)
        for member in family
        for connection in member.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {("127.0.0.1", aws.engine.port)}


def test_the_engine_outlives_its_starter_and_its_terminal(state: Path) -> None:
    program = f"""
from pathlib import Path
from local_engine import process
process.start(Path({str(state)!r}), 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, start_new_session=True, timeout=60)
    engine = process.running(state)
    assert engine is not None
    assert os.getsid(engine.pid) not in (os.getsid(0), engine.pid)
    assert psutil.Process(engine.pid).terminal() is None


def test_the_users_credentials_do_not_reach_the_engine(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "from-the-shell")
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "1")
    engine = process.start(state, 0)
    monkeypatch.undo()
    account = Aws(engine)
    name = account.function("import os\ndef handler(event, context): return dict(os.environ)")
    answer = account.client("lambda").invoke(FunctionName=name)
    environment = json.load(answer["Payload"])
    assert "AWS_PROFILE" not in environment
    assert "SECRET_OF_THE_SHELL" not in environment
    assert "from-the-shell" not in environment.values()
    assert environment["AWS_ENDPOINT_URL"] == engine.endpoint


def test_a_stop_and_a_start_lose_nothing(state: Path) -> None:
    account = Aws(process.start(state, 0))
    topic = account.topic()
    inbox, inbox_arn = account.inbox(topic)
    subscription = account.subscribe(topic, "sqs", inbox_arn, FilterPolicy='{"k": ["v"]}')
    account.sqs.send_message(QueueUrl=inbox, MessageBody="kept")
    account.dynamodb.create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    account.dynamodb.put_item(TableName="kept", Item={"pk": {"S": "1"}, "n": {"N": "1"}, "b": {"B": b"\xff"}})
    account.s3.create_bucket(Bucket="kept")
    account.s3.put_object(Bucket="kept", Key="a b/c", Body=b"body", Metadata={"m": "1"})
    function = account.function("def handler(event, context): print('line'); return event")
    version = account.client("lambda").publish_version(FunctionName=function)["Version"]
    account.client("lambda").create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    account.client("lambda").invoke(FunctionName=function)
    stack = account.deploy(
        {
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
        }
    )
    outputs = account.outputs(stack)
    account.subscribe(topic, "email", "ops@example.com")
    account.sns.publish(TopicArn=topic, Message="mail")

    process.stop(state)
    account = Aws(process.start(state))

    assert account.receive(inbox)["Body"] == "kept"
    attributes = account.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert attributes["FilterPolicy"] == '{"k": ["v"]}'
    item = account.dynamodb.get_item(TableName="kept", Key={"pk": {"S": "1"}})["Item"]
    assert item == {"pk": {"S": "1"}, "n": {"N": "1"}, "b": {"B": b"\xff"}}
    assert account.s3.get_object(Bucket="kept", Key="a b/c")["Body"].read() == b"body"
    answer = account.client("lambda").invoke(FunctionName=f"{function}:live", Payload=b'{"n": 1}')
    assert json.load(answer["Payload"]) == {"n": 1}
    lines = account.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}", filterPattern='"line"')
    assert len(lines["events"]) == 2
    assert account.outputs(stack) == outputs
    assert [mail["message"] for mail in account.get("/_fanout/outbox")["messages"]] == ["mail"]


SLOW = """
import boto3, time
def handler(event, context):
    started = time.time()
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody="started")
    while time.time() < started + 1.5:
        time.sleep(0.05)
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody="finished")
"""


def test_a_function_that_runs_may_finish_before_the_engine_stops(state: Path) -> None:
    account = Aws(process.start(state, 0))
    seen, _ = account.queue()
    function = account.function(SLOW.format(url=seen), allow("sqs:*", "*"))
    work, work_arn = account.queue()
    account.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=work_arn)
    account.sqs.send_message(QueueUrl=work, MessageBody="work")
    assert account.receive(seen)["Body"] == "started"
    process.stop(state)
    account = Aws(process.start(state))
    assert account.receive(seen)["Body"] == "finished"
    assert account.depth(work) == 0


def test_an_event_that_waits_for_its_retry_survives_a_stop(state: Path) -> None:
    account = Aws(process.start(state, 0))
    seen, seen_arn = account.queue()
    source = f"""
import boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={seen!r}, MessageBody="attempt")
    raise RuntimeError
"""
    function = account.function(source, allow("sqs:SendMessage", seen_arn))
    account.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    account.receive(seen)
    process.stop(state)
    account = Aws(process.start(state))
    for _ in range(2):
        account.receive(seen)


def test_functions_start_only_when_every_service_has_its_state_back(state: Path) -> None:
    account = Aws(process.start(state, 0))
    account.dynamodb.create_table(
        TableName="effects",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    work, work_arn = account.queue(VisibilityTimeout="3600")
    source = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="effects", Item={"pk": {"S": event["Records"][0]["body"]}})
"""
    function = account.function(source, allow(["sqs:*", "dynamodb:PutItem"]))
    account.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=work_arn)
    # Waiting when the engine starts again, but not yet to be had while it still runs.
    account.sqs.send_message(QueueUrl=work, MessageBody="done", DelaySeconds=1)
    process.stop(state)
    account = Aws(process.start(state))
    until(lambda: account.dynamodb.scan(TableName="effects")["Items"], "the effect")
    until(lambda: account.depth(work) == 0, "the empty queue")


def test_a_stop_takes_no_longer_than_it_must(aws: Aws, state: Path) -> None:
    engine = process.start(state, 0)
    Aws(engine).sqs.list_queues()  # leaves a connection open
    began = time.monotonic()
    process.stop(state)
    assert time.monotonic() - began < 5


def test_sqs_clients_reach_a_queue_by_its_url(aws: Aws) -> None:
    url, _ = aws.queue()
    assert url.startswith(aws.engine.endpoint)
