"""`fanout audit`: the trails that audit_logs keeps."""

import re
from typing import Annotated

import typer

from fanout_cli.audit.findings import Verdict
from fanout_cli.audit.stores import Trails
from fanout_cli.audit.trail import Head
from fanout_cli.audit.verification import verify as verify_trail
from fanout_cli.errors import UsageError
from fanout_cli.options import Json, StackOptions, help_text, with_groups
from fanout_cli.output import console, emit_json, step
from fanout_cli.stack.target import resolve

app = typer.Typer(help="Verify the audit trails of audit_logs.", no_args_is_help=True)

_VERIFY = help_text(
    "Verify a tenant's trail: every entry of its hash chain, and every preserved document.",
    "fanout audit verify --tenant acme",
    "fanout audit verify --tenant acme --passes-through 334:6c1f...e09b --json",
    more="Names the first entry that was altered, is missing, was added or stands in another place, delete markers and "
    "later versions of documents included. Keep the last entry and its hash, printed at the end, elsewhere: "
    "with them as --passes-through, a later verification shows that the chain was not rewritten. "
    "Exit code 1 if anything is not as it was recorded.",
)
_HEAD = re.compile(r"^(?P<sequence>[1-9]\d{0,18}):(?P<hash>[0-9a-f]{64})$")
_SHOWN = 20


@app.callback()
def group() -> None:
    """Keep `verify` a subcommand: typer would make a lone command the whole app."""


@app.command("verify", help=_VERIFY)
@with_groups
def verify(
    *,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose trail.")],
    passes_through: Annotated[
        str | None,
        typer.Option("--passes-through", metavar="ENTRY:HASH", help="An entry that the chain must still contain."),
    ] = None,
    json_output: Json = False,
    stack: StackOptions,
) -> None:
    """Print the verdict, and exit with 1 if the trail is not intact."""
    known = _head(passes_through) if passes_through else None
    target = resolve(*stack)
    with step(f"Verifying the trail of {tenant}") as progress:
        trails = Trails(target.client, target.topology())
        stores = trails.of(tenant)
        unlocked = trails.unlocked()
        verdict = verify_trail(tenant, stores, lambda done, total: progress.update("", done=done, total=total), known)
        if unlocked:
            verdict.findings.insert(0, unlocked)
    if json_output:
        emit_json(verdict.to_json())
    else:
        _show(verdict)
    raise typer.Exit(0 if verdict.ok else 1)


def _head(text: str) -> Head:
    found = _HEAD.match(text)
    if not found:
        raise UsageError(f"--passes-through {text}: no entry", "Give its number and hash: 334:<64 hexadecimal digits>.")
    return Head(int(found["sequence"]), found["hash"])


def _show(verdict: Verdict) -> None:
    out = console()
    for finding in verdict.findings[:_SHOWN]:
        out.print(finding.text, style="red", markup=False)
    if len(verdict.findings) > _SHOWN:
        out.print(f"... and {len(verdict.findings) - _SHOWN} more (--json has them all)", markup=False)
    counts = f"{verdict.tenant}: {verdict.entries} entries, {verdict.preserved} preserved documents"
    if verdict.ok:
        out.print(f"{counts}: all as recorded", style="green", markup=False)
    else:
        out.print(f"{counts}: the trail is NOT as it was recorded", style="red", markup=False)
    out.print(f"ends in {verdict.head.sequence}:{verdict.head.hash}", markup=False)
