"""`fanout dlq`: dead letters, and what a person does with them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from fanout_cli.dead_letters import formatting
from fanout_cli.dead_letters.bulk_action import BulkAction, about_unseen, counting
from fanout_cli.dead_letters.dead_letter import DeadLetter
from fanout_cli.dead_letters.filters import Filter, Matches, rate, select
from fanout_cli.dead_letters.queue import DeadLetterQueue
from fanout_cli.dead_letters.redrive import Deletion, RateLimiter, Redrive
from fanout_cli.errors import UsageError, UserError
from fanout_cli.names import require_subscriber, require_use_case
from fanout_cli.options import JsonLines, Profile, Region, StackName, SubscriberName, help_text
from fanout_cli.output import console, emit_json, note, printable, step
from fanout_cli.stack.target import Target, resolve
from fanout_cli.stack.topology import Subscriber, Topology
from fanout_cli.times import format_time, parse_time, parse_time_option

app = typer.Typer(help="List, read, redrive and delete dead letters.", no_args_is_help=True)

_THREADS = 8
_OTHERS_SHOWN = 5
_TIMES = "A time is RFC 3339 (UTC unless it names a zone), a date, or how long ago: 90s, 15m, 2h, 7d, 1w. "
_WHICH = (
    "Say which letters: --all, or any of --id, --reason, --since and --until; a letter must meet all that are given. "
    f"{_TIMES}It counts from when the letter was given up. "
)

_LIST = help_text(
    "Show the dead letters by subscriber and reason: how many, and how old the oldest is.",
    "fanout dlq list",
    "fanout dlq list --subscriber team_events/team_a --each",
    more="Letters are grouped by the code of their rejection (docs/rejections.md), 'gave up' or, without a reason, "
    "by instead how they got there: received too often (a function killed each time), function failed (the same, "
    "where SNS invokes it directly), not delivered (by SNS). Dead letters are no failure of this command.",
)
_SHOW = help_text(
    "Show a dead letter in full: the event, out of whatever it was wrapped in, and why it was given up.",
    "fanout dlq show team_events/team_a",
    "fanout dlq show team_events/team_a --id 0199b2f4-7c1e-7d35-9a57-2f1f0e6f3c11",
    more="Without --id it is the oldest. What could steer a terminal is shown as \\u escapes.",
)
_REDRIVE = help_text(
    "Send dead letters to their subscriber's inbox again, and to no other subscriber.",
    "fanout dlq redrive team_events/team_a --all",
    "fanout dlq redrive team_events/team_a --reason invalid-event --since 2h --rate 20/s --dry-run",
    more=f"{_WHICH}Attempts begin anew. A letter is deleted only after its inbox has it: an interruption leaves "
    "duplicates at most, which a subscriber absorbs. In a FIFO queue each group keeps its order. "
    "Exit code 1 if a letter could not be redriven.",
)
_PURGE = help_text(
    "Delete dead letters permanently.",
    "fanout dlq purge team_events/team_a --reason unknown-type",
    "fanout dlq purge team_events/team_a --all --yes",
    more=f"{_WHICH}The question names their number. Exit code 1 if a letter could not be deleted.",
)

All = Annotated[bool, typer.Option("--all", help="All of the subscriber's dead letters.")]
Ids = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", help="Of this event id or MessageId; may be repeated.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Whose reason begins with this, in either case.")
]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Given up at this time or later.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Given up before this time.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show which letters it would be.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list", help=_LIST)
def list_letters(
    *,
    use_case: Annotated[str | None, typer.Option("--use-case", metavar="NAME", help="Only of this use case.")] = None,
    subscriber: Annotated[
        str | None, typer.Option("--subscriber", metavar="SUBSCRIBER", help="Only of this subscriber.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="One line per letter, with its ids.")] = False,
    json_output: JsonLines = False,
    stack_name: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print what lies in the dead-letter queues."""
    target = resolve(stack_name, region, profile)
    sqs = target.client("sqs")
    with step("Looking at the dead letters") as progress:
        wanted = _wanted(target.topology(), use_case, subscriber)
        peeks = []
        with ThreadPoolExecutor(_THREADS) as pool:
            for found in pool.map(lambda one: _peek(sqs, one), wanted):
                peeks.append(found)
                progress.update(done=len(peeks), total=len(wanted))
    rows = []
    for one, found in zip(wanted, peeks, strict=True):
        letters = sorted(found.letters, key=_oldest_first)
        rows += [
            {"subscriber": one.name, **row} for row in (map(formatting.line, letters) if each else _groups(letters))
        ]
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
def show(
    name: SubscriberName,
    *,
    key: Annotated[str | None, typer.Option("--id", metavar="ID", help="The event's id, or a MessageId.")] = None,
    json_output: JsonLines = False,
    stack_name: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print the letters with that id, or the oldest one."""
    subscriber, queue, _ = _open(resolve(stack_name, region, profile), name)
    with step(f"Looking at the dead letters of {subscriber.name}") as progress:
        # Bodies are read a second time, of the one that is shown: a long queue of large ones would not fit into memory.
        found = select(queue, Filter(frozenset({key} if key else ())), on_seen=counting(progress))
        letters = sorted(found.letters, key=_oldest_first)
        if not letters:
            raise UserError(
                f"{subscriber.name} has no dead letter {key}" if key else f"{subscriber.name} has no dead letters",
                about_unseen(subscriber, found) if found.unseen.total else "See what there is: fanout dlq list --each",
            )
        shown = letters if key else letters[:1]
        full = select(queue, Filter(frozenset(each.message_id for each in shown)), bodies=True).letters
    if not full:
        raise UserError(f"the dead letter of {subscriber.name} was taken away a moment ago", "See fanout dlq list.")
    out = console()
    for number, letter in enumerate(sorted(full, key=_oldest_first)):
        if json_output:
            emit_json(formatting.document(letter, subscriber))
            continue
        if number:
            out.print()
        for text in formatting.lines(letter, subscriber, datetime.now(UTC)):
            out.print(text, markup=False)
    if others := letters[len(shown) :]:
        ids = ", ".join(printable(each.event_id or each.message_id) for each in others[:_OTHERS_SHOWN])
        more = ", ..." if len(others) > _OTHERS_SHOWN else ""
        note(f"This is the oldest. {len(others)} more, by --id: {ids}{more}")


@app.command("redrive", help=_REDRIVE)
def redrive(
    name: SubscriberName,
    *,
    everything: All = False,
    ids: Ids = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    speed: Annotated[
        str, typer.Option("--rate", metavar="N/s", help="At most so many: 50/s, 30/m, 100/h; none = no limit.")
    ] = "100/s",
    dry_run: DryRun = False,
    yes: Yes = False,
    json_output: JsonLines = False,
    stack_name: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Send the chosen letters to the inbox."""
    selection = _selection(everything, ids, reason, since, until)
    rate_limiter = RateLimiter(None if speed == "none" else rate(speed))
    subscriber, queue, sqs = _open(resolve(stack_name, region, profile), name)
    BulkAction(
        subscriber,
        queue,
        selection,
        Redrive(sqs, queue, subscriber.inbox_url),
        "redrive",
        "redriven",
        "to its inbox",
        rate_limiter,
        json_output=json_output,
    ).run(dry_run=dry_run, yes=yes)


@app.command("purge", help=_PURGE)
def purge(
    name: SubscriberName,
    *,
    everything: All = False,
    ids: Ids = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json_output: JsonLines = False,
    stack_name: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Delete the chosen letters."""
    selection = _selection(everything, ids, reason, since, until)
    subscriber, queue, _ = _open(resolve(stack_name, region, profile), name)
    BulkAction(
        subscriber,
        queue,
        selection,
        Deletion(queue),
        "delete",
        "deleted",
        "permanently",
        RateLimiter(None),
        json_output=json_output,
    ).run(dry_run=dry_run, yes=yes)


def _wanted(topology: Topology, use_case: str | None, subscriber: str | None) -> list[Subscriber]:
    """The subscribers whose letters are asked for."""
    if subscriber:
        return [require_subscriber(subscriber, topology)]
    if use_case:
        return topology.of_use_case(require_use_case(use_case, topology.use_cases))
    return [topology.subscribers[name] for name in sorted(topology.subscribers)]


def _peek(sqs: Any, subscriber: Subscriber) -> Matches:
    """All letters of a subscriber. A queue that SQS counts as empty is believed to be: there are many of them."""
    queue = DeadLetterQueue(sqs, subscriber.dead_letter_url)
    depth = queue.depth()
    return select(queue, Filter()) if depth.total else Matches([], 0, depth)


def _open(target: Target, name: str) -> tuple[Subscriber, DeadLetterQueue, Any]:
    subscriber = require_subscriber(name, target.topology())
    sqs = target.client("sqs")
    return subscriber, DeadLetterQueue(sqs, subscriber.dead_letter_url), sqs


def _selection(
    everything: bool, ids: list[str] | None, reason: str | None, since: str | None, until: str | None
) -> Filter:
    """The letters that the options mean. Raises UsageError if they mean none, or all and some."""
    now = datetime.now(UTC)
    selection = Filter(
        frozenset(ids or ()),
        reason,
        parse_time_option(since, "--since", now) if since else None,
        parse_time_option(until, "--until", now) if until else None,
    )
    if everything != selection.is_everything:
        problem = "--all with a selection" if everything else "no letters are chosen"
        raise UsageError(problem, "Say --all, or choose by --id, --reason, --since and --until.")
    return selection


def _oldest_first(letter: DeadLetter) -> tuple[float, str]:
    return letter.at.timestamp() if letter.at else 0.0, letter.message_id


def _groups(letters: Sequence[DeadLetter]) -> list[dict[str, Any]]:
    """Letters (oldest first) by the class of their cause, the largest group first."""
    groups: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        groups.setdefault(letter.cause_class, []).append(letter)
    now = datetime.now(UTC)
    return [
        {
            "code": group[0].code,
            "reason": cause,
            "letters": len(group),
            "oldest": format_time(group[0].at),
            "age_seconds": round((now - group[0].at).total_seconds()) if group[0].at else None,
        }
        for cause, group in sorted(groups.items(), key=lambda each: -len(each[1]))
    ]


def _show_groups(rows: Sequence[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("subscriber", "code or cause", "letters", "oldest")
    for column in table.columns[2:]:
        column.justify = "right"
    now = datetime.now(UTC)
    for row in rows:
        oldest = formatting.age(parse_time(row["oldest"]), now)
        table.add_row(row["subscriber"], escape(printable(row["reason"])), str(row["letters"]), oldest)
    console().print(table)


def _show_each(rows: Sequence[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("subscriber", "event or message", "type", "tries", "given up", "code", "reason")
    for row in rows:
        reason = row["reason"].removeprefix(f"{row['code']}: ")
        cells = (row["event_id"] or row["message_id"], row["type"], row["attempts"], row["at"], row["code"], reason)
        table.add_row(row["subscriber"], *(escape(printable(str(each or ""))) for each in cells))
    console().print(table)
