"""A list of steps that is carried out in order: each announces itself, acts, and may find something."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from fanout_cli.errors import UsageError, UserError
from fanout_cli.first_deployment.checks import Finding
from fanout_cli.first_deployment.plan import Client, Plan
from fanout_cli.output import note
from fanout_cli.stack.deploy import sam


@dataclass
class Run:
    """One run through the steps."""

    plan: Plan
    client: Client
    accepted: Collection[str] = ()
    """Names of findings that do not stop the run."""
    expected_failures: set[str] = field(default_factory=set)
    """Subscribers whose deliveries are expected to fail, because of accepted findings."""

    def command(self, *arguments: str) -> None:
        """Run a command of this checkout, its output for the caller to see. Raises UserError if it fails."""
        program = sam() if arguments[0] == "sam" else Path(sys.executable).parent / arguments[0]
        note(f"$ {shlex.join(arguments)}")
        search_path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
        shared = self.plan.root / ".fanout"
        shared.mkdir(exist_ok=True)
        with FileLock(shared / "build.lock"):  # the one of `fanout up`: they share .aws-sam
            done = subprocess.run(
                [str(program), *arguments[1:]],
                cwd=self.plan.root,
                env={**os.environ, "PATH": search_path},
                check=False,
            )
        if done.returncode:
            raise UserError(f"`{shlex.join(arguments)}` ended with exit code {done.returncode}", "Its output says why.")


@dataclass(frozen=True)
class Step:
    """One section of docs/first-deployment.md."""

    title: str
    act: Callable[[Run], list[Finding]]


def carry_out(run: Run, steps: Sequence[Step], *, all_at_once: bool) -> None:
    """Carry out the steps; stop at a finding that is not accepted.

    all_at_once: carry out every step first and show all findings together; these raise UsageError (the run has changed
    nothing). Else raises UserError at the first step that finds something.
    """
    found: list[Finding] = []
    for step in steps:
        note(f"{step.title} ...")
        new = step.act(run)
        for each in new:
            if each.name and each.name in run.accepted:
                note(f"  accepted: {each.problem}")
                run.expected_failures.update(each.subscribers)
            else:
                found.append(each)
        if found and not all_at_once:
            raise UserError(*_explain(found))
    if found:
        raise UsageError(*_explain(found))


def _explain(found: Sequence[Finding]) -> tuple[str, str]:
    """Return the problem and the next step that an error shows."""
    lines = [f"{each.problem}\n  -> {each.next_step}" for each in found]
    names = sorted({each.name for each in found if each.name})
    accept = f"To continue nevertheless, add {' '.join(f'--accept {name}' for name in names)}.\n" if names else ""
    return "\n".join(lines), f"{accept}Run the same command again after that: it does again only what is not done."
