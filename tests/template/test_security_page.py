"""docs/security.md says of every store what the templates say: none is missing, and how long is what is deployed."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from fanout_wiring import Composition, Resource
from tests.template.application import ROOT

PAGE = (ROOT / "docs/security.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `(?P<store>[^`]+/[^`]+)` \| (?P<data>.+?) \| `(?P<kept>[^`]+)`(?P<more>.*?) \| (?P<erase>.+?) \|$",
    re.MULTILINE,
)
ROWS = {row["store"]: row for row in ROW.finditer(PAGE)}
STORES = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
STAGES = {"dev": "default", "staging": "staging", "prod": "prod"}


def stores() -> list[Resource]:
    """Everything that keeps data, in a deployment with every option that adds a store."""
    whole = Composition(ROOT / "template.yaml", {"Stage": "prod", "OperatorEmail": "operator@example.com"})
    return [resource for resource in whole.resources if resource.type in STORES]


STORED = stores()


def kept(resource: Resource) -> str:
    """How long a store keeps what is in it, in the words of the page."""
    own = resource.properties
    match resource.type:
        case "AWS::SQS::Queue":
            return f"{int(own['MessageRetentionPeriod']) // 86_400} days"
        case "AWS::Logs::LogGroup":
            return str(resource.declared["Properties"]["RetentionInDays"]["Ref"])
        case "AWS::DynamoDB::Table":
            ttl = own.get("TimeToLiveSpecification") or {}
            return f"TTL {ttl['AttributeName']}" if ttl.get("Enabled") else "no TTL"
    rules = (own.get("LifecycleConfiguration") or {}).get("Rules", [])
    spans = [
        f"{rule.get('Prefix', '')} {rule['ExpirationInDays']} days" for rule in rules if "ExpirationInDays" in rule
    ]
    lock = ", locked" if own.get("ObjectLockEnabled") else ""
    return (", ".join(spans).strip() or "no expiry") + lock


def rows_of(resource: Resource) -> Iterator[str]:
    return (store for store in ROWS if fnmatchcase(resource.path, store))


@pytest.mark.parametrize("resource", STORED, ids=lambda resource: resource.path)
def test_a_store_has_its_row_and_the_row_says_how_long(resource: Resource) -> None:
    found = list(rows_of(resource))
    assert len(found) == 1, f"docs/security.md: {resource.path} has {len(found)} rows: {found}"
    assert ROWS[found[0]]["kept"] == kept(resource)


def test_no_row_names_a_store_that_does_not_exist() -> None:
    named = {store for resource in STORED for store in rows_of(resource)}
    assert sorted(ROWS.keys() - named) == []


def test_every_table_can_be_restored_for_as_long_as_the_page_says() -> None:
    """Another span than 35 days, the one that DynamoDB takes by itself, would make the page wrong."""
    recoveries = [
        resource.properties["PointInTimeRecoverySpecification"]
        for resource in STORED
        if resource.type == "AWS::DynamoDB::Table"
    ]
    assert recoveries
    assert all(each == {"PointInTimeRecoveryEnabled": True} for each in recoveries)
    assert "**35 days**" in PAGE


@pytest.mark.parametrize(
    ("parameter", "store"), [("LogRetentionDays", "*/FanoutLogGroup"), ("AuditRetentionDays", "AuditLogs/TrailBucket")]
)
def test_the_days_of_each_stage_are_those_of_samconfig(parameter: str, store: str) -> None:
    said = ROWS[store]["more"]
    for stage, section in STAGES.items():
        overrides = CONFIG[section]["global"]["parameters"]["parameter_overrides"]
        [days] = [each.partition("=")[2] for each in overrides if each.startswith(f"{parameter}=")]
        assert re.search(rf"\b{days} (days? in )?{stage}\b|\b{days} in {stage}\b", said), f"{store}: {stage} is {days}"


def test_every_test_and_rule_that_the_page_names_exists() -> None:
    sources = [file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py")]
    sources += [file.read_text("utf-8") for file in (ROOT / "lint").rglob("*.py")]
    for name in re.findall(r"`(test_\w+|\w+(?:_\w+){3,})`", PAGE):
        assert any(f"def {name}(" in source for source in sources), f"docs/security.md names {name}"
    for path in re.findall(r"`(tests/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), f"docs/security.md names {path}"
    for rule in re.findall(r"\bE9\d{3}\b", PAGE):
        assert any(f'"{rule}"' in source for source in sources), f"docs/security.md names {rule}"
