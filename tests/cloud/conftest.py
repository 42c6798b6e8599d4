"""The tests on AWS: run by `make test-cloud` only, against a deployed development stack.

Each says with `@pytest.mark.cloud(...)` what it proves that the local engine does not; docs/not-proven-locally.md is
made of that (tests/mutation/unproven.py says what a mark may hold).
"""

import os
from pathlib import Path

import pytest

from tests.cloud.stack import Stack

MISSING = """\
no stack is named: these tests run on AWS, and what is not run is not proven.
    FANOUT_CLOUD_STACK=fanout-dev make test-cloud
with credentials as boto3 finds them (AWS_PROFILE, AWS_REGION).
docs/not-proven-locally.md says what a run needs and costs."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse a run without a stack: nothing here is ever skipped for want of an account."""
    if not session.config.option.collectonly and not os.environ.get("FANOUT_CLOUD_STACK"):
        raise pytest.UsageError(MISSING)


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack named by FANOUT_CLOUD_STACK. Its Stage must be dev: tests publish, pause and leave rows behind.

    The stage local, which is the engine's, may be used to rehearse: what AWS alone does fails there.
    """
    name = os.environ.get("FANOUT_CLOUD_STACK")
    if not name:  # a run of another folder has collected this one
        pytest.fail(MISSING, pytrace=False)
    made = Stack(Path.cwd(), name)
    stage = made.parameters.get("Stage", "dev")
    if stage not in {"dev", "local"}:
        pytest.exit(f"stack {name} is of stage {stage}; these tests write to it, so they take dev only", returncode=2)
    return made
