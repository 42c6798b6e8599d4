"""batch_jobs: work on a whole file, requested by one event; another has its outcome.

Requests and outcomes are on two topics: a subscriber to outcomes gets no requests, and an outcome without a subscriber
is not unrouted. The job's record also has its outcome.
"""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"
_REQUESTS = "BatchJobs"
_OUTCOMES = "JobOutcomes"

JobId = Annotated[str, msgspec.Meta(max_length=128, pattern=f"^[A-Za-z0-9][A-Za-z0-9._-]*{_END}")]
"""The job's key, also a part of its files' names. Events with other ids and this key request the same job."""
Kind = Literal["csv_import", "report"]
S3Uri = Annotated[str, msgspec.Meta(max_length=1094, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S")]
"""s3://bucket/key; a bucket's name has 63 characters at most, a key 1,024."""
Dataset = Annotated[str, msgspec.Meta(max_length=64, pattern=f"^[a-z][a-z0-9_]*{_END}")]
ColumnName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The requirements for one column of an import."""

    name: ColumnName
    """As in the file's first row."""
    type: Literal["text", "integer", "decimal", "date", "boolean"] = "text"
    """`date` is 2026-11-22, `boolean` true or false, `decimal` has a point."""
    required: bool = True
    """Whether a row without a value is rejected."""


Columns = Annotated[tuple[Column, ...], msgspec.Meta(max_length=100)]
Names = Annotated[tuple[ColumnName, ...], msgspec.Meta(max_length=20)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parameters of a job: `dataset` and `columns` for csv_import, `group_by` and `sum` for report."""

    dataset: Dataset | None = None
    """csv_import: the dataset that the rows replace."""
    columns: Columns = ()
    """csv_import: the columns that are imported. Others in the file are ignored."""
    group_by: Names = ()
    """report: the columns to group by."""
    sum: Names = ()
    """report: the columns to sum within each group."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """A first line `sep=;` in the file overrides it."""
    tolerated_percent: Percent = 0
    """The percentage of rows that may be rejected; with more the job fails."""


@contract("job.requested.v1", topic=_REQUESTS, filterable=("kind",))
class JobRequested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job was requested."""

    job_id: JobId
    kind: Kind
    input: S3Uri
    """The CSV file, UTF-8, its first row the names of the columns."""
    parameters: Parameters

    def __post_init__(self) -> None:
        """Refuse parameters that do not belong to the kind, or are missing."""
        given = self.parameters
        of_import, of_report = bool(given.dataset or given.columns), bool(given.group_by or given.sum)
        if self.kind == "csv_import" and (of_report or not (given.dataset and given.columns)):
            raise ValueError("csv_import takes the parameters dataset and columns, and neither group_by nor sum")
        if self.kind == "report" and (of_import or not given.group_by):
            raise ValueError("report takes the parameters group_by and sum, and neither dataset nor columns")
        names = [column.name for column in given.columns] or [*given.group_by, *given.sum]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"columns named twice: {', '.join(twice)}")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        given = self.parameters
        return tuple(column.name for column in given.columns) or (*given.group_by, *given.sum)


class _Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    job_id: JobId
    kind: Kind
    input: S3Uri
    good: _Count
    """Rows that passed."""
    rejected: _Count
    """Rows that did not, including rows that a stray quote made part of another one; `rejects` says why."""
    rejects: S3Uri | None = None
    """A CSV file with number and reason of the rejected rows, except rows lost in another one. None: no such row."""


@contract("job.completed.v1", topic=_OUTCOMES, filterable=("kind",))
class JobCompleted(_Outcome, frozen=True, kw_only=True, omit_defaults=True):
    """The job is done. Final: there is no `job.failed.v1`."""

    dataset: Dataset | None = None
    """csv_import: the dataset that the rows now are."""
    result: S3Uri | None = None
    """report: the CSV file with the totals."""


FailureReason = Literal[
    "forbidden_input",
    "no_such_input",
    "unreadable_input",
    "empty_input",
    "not_csv",
    "missing_columns",
    "input_too_large",
    "input_changed",
    "too_many_rejected",
    "too_many_groups",
    "superseded",
    "aborted",
    "timed_out",
    "internal_error",
]


@contract("job.failed.v1", topic=_OUTCOMES, filterable=("kind", "reason"))
class JobFailed(_Outcome, frozen=True, kw_only=True, omit_defaults=True):
    """The job has failed and changed nothing. Final: there is no `job.completed.v1`."""

    reason: FailureReason
    detail: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """The reason in words."""
