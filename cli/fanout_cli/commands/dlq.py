"""`fanout dlq`: list, read, redrive and delete dead letters."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import typer

from fanout_cli.dead_letters import formatting
from fanout_cli.dead_letters.bulk_action import BulkAction, about_unseen, counting
from fanout_cli.dead_letters.dead_letter import DeadLetter
from fanout_cli.dead_letters.filters import Filter, Matches, rate, select
from fanout_cli.dead_letters.queue import DeadLetterQueue
from fanout_cli.dead_letters.redrive import Deletion, RateLimiter, Redrive
from fanout_cli.errors import UsageError, UserError
from fanout_cli.names import require_subscriber, require_use_case
from fanout_cli.options import JsonLines, StackOptions, SubscriberName, help_text, with_groups
from fanout_cli.output import console, emit_json, note, printable, step
from fanout_cli.stack.target import Target, resolve
from fanout_cli.stack.topology import Subscriber, Topology
from fanout_cli.times import format_time, parse_time, parse_time_option

app = typer.Typer(help="List, read, redrive and delete dead letters.", no_args_is_help=True)

_THREADS = 8
_OTHERS_SHOWN = 5
_TIMES = "A time is RFC 3339 (UTC unless it names a zone), a date, or how long ago: 90s, 15m, 2h, 7d, 1w. "
_WHICH = (
    "Choose with --all, or with any of --id, --reason, --since and --until; a message must match all that are given. "
    f"{_TIMES}It is compared with the time of dead-lettering. "
)

_LIST = help_text(
    "Show the dead letters by subscriber and reason: how many, and how old the oldest is.",
    "fanout dlq list",
    "fanout dlq list --subscriber team_events/team_a --each",
    more="Dead letters are grouped by the code of their rejection (docs/rejections.md), 'gave up', or without a reason "
    "by their cause: received too often (the function was killed each time), function failed (the same, where SNS "
    "invokes it directly), not delivered (by SNS). Exit code 0 also if there are dead letters.",
)
_SHOW = help_text(
    "Show a dead letter in full: the event without its envelope, and the reason.",
    "fanout dlq show team_events/team_a",
    "fanout dlq show team_events/team_a --id 0199b2f4-7c1e-7d35-9a57-2f1f0e6f3c11",
    more="Without --id, the oldest. Control characters are shown as \\u escapes.",
)
_REDRIVE = help_text(
    "Send dead letters to their subscriber's inbox again, and to no other subscriber.",
    "fanout dlq redrive team_events/team_a --all",
    "fanout dlq redrive team_events/team_a --reason invalid-event --since 2h --rate 20/s --dry-run",
    more=f"{_WHICH}Attempts start again at 1. A message is deleted only after it is in the inbox: an interruption "
    "leaves at most duplicates, which subscribers discard. In a FIFO queue each group keeps its order. "
    "Exit code 1 if a message could not be redriven.",
)
_PURGE = help_text(
    "Delete dead letters permanently.",
    "fanout dlq purge team_events/team_a --reason unknown-type",
    "fanout dlq purge team_events/team_a --all --yes",
    more=f"{_WHICH}The confirmation shows their number. Exit code 1 if a message could not be deleted.",
)


class Selection(NamedTuple):
    """The options that choose dead letters."""

    everything: Annotated[bool, typer.Option("--all", help="All of the subscriber's dead letters.")] = False
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="With this event id or MessageId; may be repeated.")
    ] = None
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="With a reason that begins with TEXT, in any case.")
    ] = None
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Dead-lettered at this time or later.")
    ] = None
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Dead-lettered before this time.")] = None

    def filter(self) -> Filter:
        """Return the filter. Raises UsageError if the options choose nothing, or --all and something else."""
        now = datetime.now(UTC)
        found = Filter(
            frozenset(self.ids or ()),
            self.reason,
            parse_time_option(self.since, "--since", now) if self.since else None,
            parse_time_option(self.until, "--until", now) if self.until else None,
        )
        if self.everything != found.is_everything:
            problem = "--all with a selection" if self.everything else "no dead letters are chosen"
            raise UsageError(problem, "Give --all, or choose by --id, --reason, --since and --until.")
        return found


class Execution(NamedTuple):
    """The options of how an action on dead letters is carried out."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which messages match.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False
    json_output: JsonLines = False


@app.command("list", help=_LIST)
@with_groups
def list_dead_letters(
    *,
    use_case: Annotated[str | None, typer.Option("--use-case", metavar="NAME", help="Only of this use case.")] = None,
    subscriber: Annotated[
        str | None, typer.Option("--subscriber", metavar="SUBSCRIBER", help="Only of this subscriber.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="One line per dead letter, with its ids.")] = False,
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Print the dead letters of the matching subscribers."""
    target = resolve(*stack)
    sqs = target.client("sqs")
    with step("Reading the dead letters") as progress:
        wanted = _wanted(target.topology(), use_case, subscriber)
        peeks = []
        with ThreadPoolExecutor(_THREADS) as pool:
            for found in pool.map(lambda one: _peek(sqs, one), wanted):
                peeks.append(found)
                progress.update(done=len(peeks), total=len(wanted))
    rows = []
    for one, found in zip(wanted, peeks, strict=True):
        chosen = sorted(found.dead_letters, key=_oldest_first)
        rows += [{"subscriber": one.name, **row} for row in (map(formatting.line, chosen) if each else _groups(chosen))]
    if json_output:
        for row in rows:
            emit_json(row)
    elif rows:
        (_show_each if each else _show_groups)(rows)
    for one, found in zip(wanted, peeks, strict=True):
        if found.unseen.total:
            note(about_unseen(one, found))
    if not rows:
        note("There are no dead letters.")


@app.command("show", help=_SHOW)
@with_groups
def show(
    name: SubscriberName,
    *,
    key: Annotated[str | None, typer.Option("--id", metavar="ID", help="The event's id, or a MessageId.")] = None,
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Print the dead letters with that id, or the oldest one."""
    subscriber, queue, _ = _open(resolve(*stack), name)
    with step(f"Reading the dead letters of {subscriber.name}") as progress:
        # Bodies are read a second time, of the one that is shown: a long queue of large ones would not fit into memory.
        found = select(queue, Filter(frozenset({key} if key else ())), on_seen=counting(progress))
        dead_letters = sorted(found.dead_letters, key=_oldest_first)
        if not dead_letters:
            raise UserError(
                f"{subscriber.name} has no dead letter {key}" if key else f"{subscriber.name} has no dead letters",
                about_unseen(subscriber, found) if found.unseen.total else "List what there is: fanout dlq list --each",
            )
        shown = dead_letters if key else dead_letters[:1]
        full = select(queue, Filter(frozenset(each.message_id for each in shown)), bodies=True).dead_letters
    if not full:
        raise UserError(
            f"the dead letter of {subscriber.name} is no longer in the queue", "List what there is: fanout dlq list."
        )
    out = console()
    for number, dead_letter in enumerate(sorted(full, key=_oldest_first)):
        if json_output:
            emit_json(formatting.document(dead_letter, subscriber))
            continue
        if number:
            out.print()
        for text in formatting.lines(dead_letter, subscriber, datetime.now(UTC)):
            out.print(text, markup=False)
    if others := dead_letters[len(shown) :]:
        ids = ", ".join(printable(each.event_id or each.message_id) for each in others[:_OTHERS_SHOWN])
        more = ", ..." if len(others) > _OTHERS_SHOWN else ""
        note(f"This is the oldest. {len(others)} more, by --id: {ids}{more}")


@app.command("redrive", help=_REDRIVE)
@with_groups
def redrive(
    name: SubscriberName,
    *,
    selection: Selection,
    speed: Annotated[
        str, typer.Option("--rate", metavar="N/s", help="At most N per unit: 50/s, 30/m, 100/h; none = no limit.")
    ] = "100/s",
    execution: Execution,
    stack: StackOptions,
) -> None:
    """Send the matching messages to the inbox."""
    matching = selection.filter()
    rate_limiter = RateLimiter(None if speed == "none" else rate(speed))
    subscriber, queue, sqs = _open(resolve(*stack), name)
    action = Redrive(sqs, queue, subscriber.inbox_url)
    words = ("redrive", "redriven", "to its inbox")
    BulkAction(subscriber, queue, matching, action, *words, rate_limiter, json_output=execution.json_output).run(
        dry_run=execution.dry_run, yes=execution.yes
    )


@app.command("purge", help=_PURGE)
@with_groups
def purge(name: SubscriberName, *, selection: Selection, execution: Execution, stack: StackOptions) -> None:
    """Delete the matching messages."""
    matching = selection.filter()
    subscriber, queue, _ = _open(resolve(*stack), name)
    words = ("delete", "deleted", "permanently")
    BulkAction(
        subscriber, queue, matching, Deletion(queue), *words, RateLimiter(None), json_output=execution.json_output
    ).run(dry_run=execution.dry_run, yes=execution.yes)


def _wanted(topology: Topology, use_case: str | None, subscriber: str | None) -> list[Subscriber]:
    """Return the subscribers that the options choose."""
    if subscriber:
        return [require_subscriber(subscriber, topology)]
    if use_case:
        return topology.of_use_case(require_use_case(use_case, topology.use_cases))
    return [topology.subscribers[name] for name in sorted(topology.subscribers)]


def _peek(sqs: Any, subscriber: Subscriber) -> Matches:
    """Return all dead letters of a subscriber. A queue that SQS counts as empty is not scanned."""
    queue = DeadLetterQueue(sqs, subscriber.dead_letter_url)
    depth = queue.depth()
    return select(queue, Filter()) if depth.total else Matches([], 0, depth)


def _open(target: Target, name: str) -> tuple[Subscriber, DeadLetterQueue, Any]:
    subscriber = require_subscriber(name, target.topology())
    sqs = target.client("sqs")
    return subscriber, DeadLetterQueue(sqs, subscriber.dead_letter_url), sqs


def _oldest_first(dead_letter: DeadLetter) -> tuple[float, str]:
    return dead_letter.at.timestamp() if dead_letter.at else 0.0, dead_letter.message_id


def _groups(dead_letters: Sequence[DeadLetter]) -> list[dict[str, Any]]:
    """Group dead letters (oldest first) by the code of their cause; the largest group is first."""
    groups: dict[str, list[DeadLetter]] = {}
    for dead_letter in dead_letters:
        groups.setdefault(dead_letter.cause_class, []).append(dead_letter)
    now = datetime.now(UTC)
    return [
        {
            "code": group[0].code,
            "reason": cause,
            "dead_letters": len(group),
            "oldest": format_time(group[0].at),
            "age_seconds": round((now - group[0].at).total_seconds()) if group[0].at else None,
        }
        for cause, group in sorted(groups.items(), key=lambda each: -len(each[1]))
    ]


def _show_groups(rows: Sequence[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("subscriber", "code or cause", "dead letters", "oldest")
    for column in table.columns[2:]:
        column.justify = "right"
    now = datetime.now(UTC)
    for row in rows:
        oldest = formatting.age(parse_time(row["oldest"]), now)
        table.add_row(row["subscriber"], escape(printable(row["reason"])), str(row["dead_letters"]), oldest)
    console().print(table)


def _show_each(rows: Sequence[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("subscriber", "event or message", "type", "attempts", "dead-lettered", "code", "reason")
    for row in rows:
        reason = row["reason"].removeprefix(f"{row['code']}: ")
        cells = (row["event_id"] or row["message_id"], row["type"], row["attempts"], row["at"], row["code"], reason)
        table.add_row(row["subscriber"], *(escape(printable(str(each or ""))) for each in cells))
    console().print(table)
