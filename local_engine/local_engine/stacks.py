"""Delete a stack that cannot be updated because its creation failed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from typing import Any

from botocore.exceptions import ClientError


def failed_creation(cloudformation: Any, stack_name: str) -> str | None:
    """Return the id of the stack if its creation failed, else None."""
    try:
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    except ClientError:
        return None
    stack_id: str = stack["StackId"]
    return stack_id if stack["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED") else None


def delete(cloudformation: Any, stack_id: str) -> None:
    """Delete the stack and wait until it is gone. Raises WaiterError if that fails or takes longer than two minutes."""
    cloudformation.delete_stack(StackName=stack_id)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiter.wait(StackName=stack_id, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
