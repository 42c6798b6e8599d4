"""`fanout jobs`: how far the jobs of batch_jobs are."""

from typing import Annotated, Any

import typer

from fanout_cli.errors import UserError
from fanout_cli.jobs.job_records import Jobs
from fanout_cli.options import JsonLines, StackOptions, help_text, with_groups
from fanout_cli.output import Step, console, emit_json, emit_json_lines, note, step
from fanout_cli.stack.target import resolve

app = typer.Typer(help="Show the jobs of batch_jobs.", no_args_is_help=True)


@app.command(
    "watch",
    help=help_text(
        "Show how far a job is until it has ended, then how it ended.",
        "fanout jobs watch customers-2026-10-08",
        more="Exit code 0 if it is completed, 1 if it has failed, does not exist, or does not end in time.",
    ),
)
@with_groups
def watch(
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="The job_id it was requested with.")],
    *,
    wait: Annotated[
        float | None,
        typer.Option("--wait", min=0, metavar="SECONDS", help="Watch for at most SECONDS. [default: no limit]"),
    ] = None,
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Watch a job, and exit by how it ended."""
    target = resolve(*stack)
    jobs = Jobs(target.client, target.topology())
    last: dict[str, Any] = {}
    if json_output:
        for last in jobs.watch(job_id, wait):
            emit_json(last)
    else:
        with step(f"Job {job_id}") as progress:
            for last in jobs.watch(job_id, wait):
                _progress(progress, last)
        _show(last)
    if last["state"] not in ("COMPLETED", "FAILED"):
        raise UserError(f"job {job_id} is still {last['state']}", "Watch it for longer: --wait.")
    raise typer.Exit(0 if last["state"] == "COMPLETED" else 1)


@app.command(
    "list",
    help=help_text("Show the jobs that were requested last.", "fanout jobs list --limit 5"),
)
@with_groups
def list_jobs(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many.")] = 20,
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Print a table of them."""
    from rich.table import Table

    target = resolve(*stack)
    found = Jobs(target.client, target.topology()).latest(limit)
    if json_output:
        emit_json_lines(found)
        return
    table = Table("job", "state", "requested at", "done", "good", "rejected", "reason")
    for column in table.columns[3:6]:
        column.justify = "right"
    for job in found:
        counts = (_share(job), str(job["good"]), str(job["rejected"]))
        table.add_row(job["job_id"], job["state"], job["requested_at"], *counts, job.get("reason", ""))
    console().print(table)
    if not found:
        note("No job was requested in the last months.")


def _progress(progress: Step, job: dict[str, Any]) -> None:
    detail = f"{job['state'].lower()}, {job['good'] + job['rejected']} of {job['rows']} rows"
    progress.update(detail, done=job["chunks_done"], total=job["chunks"] or None)


def _show(job: dict[str, Any]) -> None:
    out = console()
    for name, value in job.items():
        out.print(f"{name.replace('_', ' '):<14}{value}", markup=False)


def _share(job: dict[str, Any]) -> str:
    return f"{100 * job['chunks_done'] // job['chunks']} %" if job["chunks"] else ""
