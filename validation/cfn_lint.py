"""cfn-lint: the schemas of CloudFormation's resource types, and its rules about values, policies and state machines."""

from collections.abc import Iterable

from cfnlint.config import _DEFAULT_RULESDIR, ConfigMixIn
from cfnlint.rules import Rules
from cfnlint.template.template import Template

from validation.expansion import REGION
from validation.findings import Finding, Verdict
from validation.templates import Batch

NAME = "cfn-lint"


def judge(batches: Iterable[Batch]) -> Verdict:
    """Apply every rule, those for information included, to every template."""
    rules = Rules.create_from_directory(_DEFAULT_RULESDIR)
    findings: list[Finding] = []
    resources = 0
    for batch in batches:
        resources += len(batch.paths)
        # cfn-lint's own runner drops matches whose lines are equal, and a dict has no lines.
        template = Template(None, batch.template, [REGION])
        for match in rules.run(None, template, ConfigMixIn(["--include-checks", "I"])):
            where = list(match.path or [])
            path, kind = batch.origin(where[1]) if where[:1] == ["Resources"] and len(where) > 1 else ("", "")
            at = "/".join(map(str, where[2:]))
            findings.append(Finding(NAME, match.rule.id, path, kind, f"{at}: {match.message}" if at else match.message))
    return Verdict(NAME, f"{resources} resources", findings)
