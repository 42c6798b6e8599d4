"""`make chaos`: the whole application under every kind of fault, and an account of every event afterwards.

    python -m tests.chaos.chaos --events 10000 [--seed N] [--fault NAME ...]

The seed decides which events are published, at which times they happened, in which order, and the dice of faults. When
a function meets a fault is the machine's business: two runs of one seed attack the same events in the same way, not in
the same microsecond.
"""

import argparse
import json
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fanout_cli.demo.definition import Event
from fanout_cli.output import Step, console, note, step
from fanout_cli.tracing.tracer import FINAL
from tests.chaos import ledger
from tests.chaos.accounts import Settled, account
from tests.chaos.deployment import Deployment, deployed
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.redelivery import deliver_again
from tests.chaos.report import Report, Row
from tests.chaos.watch import Watch, dead_letters_of
from tests.chaos.workload import SHARES, Due, Workload, typed
from tests.integration.application import ROOT

_DRAIN_SECONDS = 300.0
_POLL_SECONDS = 1.0
WAVE = 270
_COMPLAINTS_SHOWN = 20


class Run:
    """One run against one deployment."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self._deployment = deployment
        self._chance = random.Random(seed)
        self._workload = Workload(deployment.application, self._chance)
        self._report = Report(seed)
        self._phases: list[tuple[Row, list[Due], dict[Due, str]]] = []

    def attack(self, fault: Fault, count: int) -> None:
        """Publish about `count` events of all use cases under a fault, and wait until all has been handled."""
        began, started = time.monotonic(), datetime.now(UTC)
        with step(f"{fault.name}: publishing and handling") as progress:
            progress.update("making events")
            events = self._events(fault, count)
            with fault.active(self._deployment, self._chance) as strikes:
                published = self._publish(fault, events, progress)
                dues = self._workload.due(published)
                strikes.count += self._again(fault, published, dues)
                strikes.count += fault.restarts + (len(published) if fault.moments else 0)
                outcomes, dues = self._drain(dues, started, progress)
        row = Row(fault.name, strikes.count, len({due.event_id for due in dues}), time.monotonic() - began, {})
        self._phases.append((row, dues, outcomes))

    def _events(self, fault: Fault, count: int) -> dict[str, list[Event]]:
        shares = sum(SHARES.values())
        numbers = {use_case: max(2, round(count * share / shares)) for use_case, share in SHARES.items()}
        return {name: self._workload.events(name, number, fault.moments) for name, number in numbers.items()}

    def _publish(self, fault: Fault, events: dict[str, list[Event]], progress: Step) -> list[Event]:
        """Publish them, use case after use case, and return them as they were published."""
        published: list[Event] = []
        for number, (use_case, made) in enumerate(events.items()):
            progress.update(f"publishing {len(made)} events of {use_case}", done=number, total=len(events))
            if fault.reorders:
                made.reverse()
            if fault.restarts and number == len(events) // 2:
                self._deployment.restart_engine()
            brought_about = self._workload.demos[use_case].bring_about(made)
            if brought_about is None:
                for topic, batch in typed(use_case, made):
                    self._deployment.publish(topic, batch, through_proxy=fault.through_proxy)
            published += made if brought_about is None else brought_about
        return published

    def _again(self, fault: Fault, published: Sequence[Event], dues: Sequence[Due]) -> int:
        """Deliver all of it again, if that is the fault; return how much of it."""
        if not fault.redelivers:
            return 0
        known = {event["id"] for event in published}
        for use_case in SHARES:
            mine = [due.event for due in dues if due.use_case == use_case and due.event_id in known]
            unique = list({event["id"]: event for event in mine}.values())
            if self._workload.demos[use_case].bring_about([]) is None:
                for topic, batch in typed(use_case, unique):
                    self._deployment.publish(topic, batch)
        return len(known) + deliver_again(self._deployment, dues, self._chance, late=fault.reorders)

    def _drain(self, dues: list[Due], started: datetime, progress: Step) -> tuple[dict[Due, str], list[Due]]:
        """Wait until every delivery has its final outcome, those of derived events included, or time is up.

        Returns the outcomes, and the deliveries with those of derived events.
        """
        deadline = time.monotonic() + _DRAIN_SECONDS
        watch = Watch(self._deployment.application)
        followed: set[Due] = set()
        dues = list(dues)
        while True:
            outcomes = watch.outcomes(dues, started)
            handled = [due for due in dues if outcomes.get(due) in {"processed", "duplicate"} and due not in followed]
            followed |= set(handled)
            dues += self._workload.due([event for due in handled for event in self._workload.derived(due)])
            open_now = sum(outcomes.get(due) not in FINAL for due in dues)
            progress.update(f"{open_now} open", done=len(dues) - open_now, total=len(dues))
            over = not open_now and not watch.waiting() and self._is_settled(dues)
            if over or time.monotonic() > deadline:
                return outcomes, dues
            time.sleep(_POLL_SECONDS)

    def _is_settled(self, dues: Sequence[Due]) -> bool:
        """Whether what goes on after the receipts has come to its end, too."""
        stores = ledger.Stores(self._deployment)
        for use_case, demo in self._workload.demos.items():
            events = [due.event for due in dues if due.use_case == use_case]
            if not ledger.load(use_case, demo, stores).settled(events):
                return False
        return True

    def report(self) -> Report:
        """Count every effect in its store, now that all is over, and return what the run came to."""
        with step("Counting every effect in its store") as progress:
            stores = ledger.Stores(self._deployment)
            ledgers = {name: ledger.load(name, demo, stores) for name, demo in self._workload.demos.items()}
            dead_letters = dead_letters_of(self._deployment.application)
            for number, (row, dues, outcomes) in enumerate(self._phases, 1):
                progress.update(row.fault, done=number, total=len(self._phases))
                settled = [
                    Settled(
                        due,
                        outcome=outcomes.get(due, "pending"),
                        dead_letter=dead_letters.get((due.subscriber, due.event_id), ""),
                        times=ledgers[due.use_case].times(due.event, due.name),
                        is_addressed=self._workload.demos[due.use_case].is_for(due.event, due.name),
                    )
                    for due in dues
                ]
                row.accounts = {
                    use_case: account(each for each in settled if each.due.use_case == use_case) for use_case in SHARES
                }
                self._report.add(row)
            self._report.faults_of_stores = self._faults_of_stores(ledgers)
            self._report.unpublished = self._workload.unpublished()
        return self._report

    def _faults_of_stores(self, ledgers: Mapping[str, ledger.Ledger]) -> list[str]:
        events: dict[str, dict[str, Event]] = {use_case: {} for use_case in ledgers}
        for _, dues, _ in self._phases:
            for due in dues:
                events[due.use_case][due.event_id] = due.event
        return [fault for name, each in ledgers.items() for fault in each.faults(list(events[name].values()))]


def waves(count: int) -> list[int]:
    """Split a number of events into equal waves, none too large for the machine: drowning it attacks nothing."""
    number = max(1, -(-count // WAVE))
    return [count // number + (place < count % number) for place in range(number)]


def main() -> int:
    """Run it; 0 if every promise held."""
    arguments = _arguments()
    chosen = [fault for fault in FAULTS if not arguments.fault or fault.name in arguments.fault]
    note(f"seed {arguments.seed} (the same attack again: make chaos SEED={arguments.seed})")
    folder = ROOT / ".fanout"
    folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="chaos-", dir=folder) as state,
        deployed(Path(state), arguments.seed) as made,
    ):
        run = Run(made, arguments.seed)
        for fault in chosen:
            for wave in waves(-(-arguments.events // len(chosen))):
                run.attack(fault, wave)
        report = run.report()
    (folder / "chaos.json").write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    (folder / "chaos.md").write_text(report.markdown(), encoding="utf-8")
    _show(report)
    return 0 if report.is_clean else 1


def _show(report: Report) -> None:
    console().print(report.table())
    _list(report.total.complaints)
    _list(report.faults_of_stores)
    _list([f"{fault} never struck: it has proved nothing" for fault in report.idle])
    _list([f"no {event_type} was ever published: too few events" for event_type in report.unpublished])
    total, figures = report.total, report.to_json()
    _list(f"{count} rejected as {reason}" for reason, count in total.reasons.most_common())
    verdict = "nothing lost, nothing doubled" if report.is_clean else "NOT as promised"
    console().print(
        f"{figures['published']} events, {total.due} due deliveries: {total.processed} processed, {total.rejected} "
        f"rejected, {total.discarded} discarded, {total.lost} lost, {total.doubled} doubled: {verdict}",
        markup=False,
    )


def _list(lines: Iterable[str]) -> None:
    found = list(lines)
    for line in found[:_COMPLAINTS_SHOWN]:
        console().print(line, markup=False)
    if len(found) > _COMPLAINTS_SHOWN:
        console().print(f"... and {len(found) - _COMPLAINTS_SHOWN} more", markup=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=10_000, help="how many are published in all, about")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of all dice")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--fault", choices=names, action="append", help="only these kinds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
