"""X-Ray: the engine keeps no traces, and says so in AWS's error shape."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from samcli.cli.main import cli as sam

from engine_tests.aws import Aws

CALLS = {
    "get_trace_summaries": {"StartTime": datetime(2026, 1, 1, tzinfo=UTC), "EndTime": datetime(2026, 1, 2, tzinfo=UTC)},
    "batch_get_traces": {"TraceIds": ["1-581cf771-a006649127e371903a2de979"]},
    "get_service_graph": {"StartTime": datetime(2026, 1, 1, tzinfo=UTC), "EndTime": datetime(2026, 1, 2, tzinfo=UTC)},
}
REASON = "The local engine keeps no X-Ray traces."


def refusal(aws: Aws, call: str) -> ClientError:
    with pytest.raises(ClientError) as refused:
        getattr(aws.xray, call)(**CALLS[call])
    return refused.value


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_x_ray_is_refused_with_a_reason(aws: Aws, call: str) -> None:
    error = refusal(aws, call).response["Error"]
    assert error["Code"] == "UnknownOperationException"
    assert error["Message"].startswith(REASON)


def test_upstream_refuses_a_call_of_x_ray_without_code_and_text(upstream: Aws) -> None:
    assert refusal(upstream, "get_trace_summaries").response["Error"] == {"Code": "400", "Message": ""}


def test_sam_traces_prints_the_reason(aws: Aws) -> None:
    found = CliRunner(env=aws.environment).invoke(sam, ["traces"])
    assert found.exit_code == 1
    assert found.output.startswith("Error: ")
    assert REASON in found.output
    assert "Traceback" not in found.output
