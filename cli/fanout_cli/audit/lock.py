"""Keep test events out of a COMPLIANCE lock: what audit_logs preserves there cannot be deleted before its time.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from fanout_cli.errors import UserError

if TYPE_CHECKING:
    from fanout_cli.stack.topology import Topology

_USE_CASE = "audit_logs"

IntoComplianceLock = Annotated[
    bool,
    typer.Option(
        "--into-compliance-lock",
        help="Publish to audit_logs although its stack preserves every event in COMPLIANCE mode, undeletable.",
    ),
]


def refuse_compliance_lock(topology: "Topology", use_cases: Collection[str]) -> None:
    """Raise UserError if events of these use cases would be preserved in COMPLIANCE mode."""
    outputs = topology.outputs.get(_USE_CASE, {})
    if _USE_CASE in use_cases and outputs.get("LockMode") == "COMPLIANCE":
        days = outputs["LockDays"]
        raise UserError(
            f"audit_logs in stack {topology.stack_name} preserves every event in COMPLIANCE mode: "
            f"it cannot be deleted for {days} days",
            "Nothing was published. Use a stack in GOVERNANCE mode, or add --into-compliance-lock.",
        )
