"""What a run came to: the table fault x use case, and the figures for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from tests.chaos.accounts import Account

_SHORT = {
    "application_logs": "logs",
    "audit_logs": "audit",
    "batch_jobs": "jobs",
    "data_aggregation": "aggreg.",
    "database_changes": "changes",
    "order_processing": "process.",
    "order_workflow": "workflow",
    "system_alerts": "alerts",
    "team_events": "team",
    "user_interactions": "interact.",
    "user_registration": "register.",
}
_FIGURES = ("struck", "processed", "rejected", "discarded", "lost", "doubled")


@dataclass
class Row:
    """One fault: what it struck, and each use case's account while it did."""

    fault: str
    strikes: int
    published: int
    seconds: float
    accounts: Mapping[str, Account]

    def add(self, other: "Row") -> None:
        """Take another wave of the same fault into this one."""
        self.strikes += other.strikes
        self.published += other.published
        self.seconds += other.seconds
        for use_case, account in other.accounts.items():
            self.accounts[use_case].add(account)

    @property
    def total(self) -> Account:
        """All use cases together."""
        total = Account()
        for account in self.accounts.values():
            total.add(account)
        return total


@dataclass
class Report:
    """A whole run."""

    seed: int
    rows: list[Row] = field(default_factory=list)
    faults_of_stores: list[str] = field(default_factory=list)
    """What is wrong with a store as a whole: a chain of audit entries that does not verify."""
    unpublished: list[str] = field(default_factory=list)
    """Samples that the run was too small for."""

    def add(self, row: Row) -> None:
        """Add a wave's row: to that of the same fault, if there is one."""
        for known in self.rows:
            if known.fault == row.fault:
                known.add(row)
                return
        self.rows.append(row)

    @property
    def total(self) -> Account:
        """All faults together."""
        total = Account()
        for row in self.rows:
            total.add(row.total)
        return total

    @property
    def idle(self) -> list[str]:
        """The faults that never struck, and so proved nothing."""
        return [row.fault for row in self.rows if not row.strikes]

    @property
    def is_clean(self) -> bool:
        """Whether every promise has held against every fault."""
        is_complete = bool(self.rows) and not self.idle and not self.unpublished
        return is_complete and self.total.is_clean and not self.faults_of_stores

    def to_json(self) -> dict[str, Any]:
        """The figures. `published` counts distinct events, the others (event, subscriber) pairs."""
        total = self.total
        return {
            "seed": self.seed,
            "published": sum(row.published for row in self.rows),
            "processed": total.processed,
            "rejected": total.rejected,
            "discarded": total.discarded,
            "lost": total.lost,
            "doubled": total.doubled,
            "faults": [row.fault for row in self.rows],
        }

    def columns(self) -> list[str]:
        """The heads of the table."""
        return ["fault", *(_SHORT[name] for name in self._use_cases()), *_FIGURES]

    def lines(self) -> list[list[str]]:
        """The lines of the table: deliveries due per use case, all of them settled unless lost."""
        found = [self._line(row.fault, row.strikes, row.accounts, row.total) for row in self.rows]
        together: dict[str, Account] = {name: Account() for name in self._use_cases()}
        for row in self.rows:
            for name, account in row.accounts.items():
                together[name].add(account)
        return [*found, self._line("all", sum(row.strikes for row in self.rows), together, self.total)]

    def _line(self, name: str, strikes: int, accounts: Mapping[str, Account], total: Account) -> list[str]:
        cells = [str(accounts[each].due) if each in accounts else "0" for each in self._use_cases()]
        figures = (total.processed, total.rejected, total.discarded, total.lost, total.doubled)
        return [name, *cells, *(str(number) for number in (strikes, *figures))]

    def _use_cases(self) -> Sequence[str]:
        return sorted({name for row in self.rows for name in row.accounts})

    def table(self) -> Table:
        """The table for a terminal."""
        title = "deliveries due, by fault and use case"
        made = Table(*self.columns(), title=title, box=None, padding=(0, 1, 0, 0), pad_edge=False)
        made.columns[0].no_wrap = True
        for column in made.columns[1:]:
            column.justify = "right"
        for line in self.lines():
            made.add_row(*line)
        return made

    def markdown(self) -> str:
        """The table for a page."""
        rule = ["---", *["---:"] * (len(self.columns()) - 1)]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in [self.columns(), rule, *self.lines()])
