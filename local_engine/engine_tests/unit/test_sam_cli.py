"""What is shown of the SAM CLI's output."""

from local_engine import sam_cli


def test_progress_names_the_resource_that_is_waited_for() -> None:
    row = "CREATE_IN_PROGRESS          AWS::CloudFormation::Stack        TeamEvents          -   "
    assert sam_cli._summary(row) == "TeamEvents: CREATE_IN_PROGRESS"
    assert sam_cli._summary("Uploading to abc\n") == "uploading what was built"
