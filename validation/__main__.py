"""`python -m validation`: expand every deployment, ask every judge, print the verdicts. Exit code 1 on any finding."""

import sys

from fanout_wiring import load
from validation import cfn_lint, checkov, iam_policies, moto_apis, state_machines
from validation.expansion import Expansion, ExpansionError
from validation.findings import explanations, stale, unexplained
from validation.stages import EVERY_OPTION, ROOT, STAGES, overrides
from validation.templates import batches


def deployments() -> dict[str, Expansion]:
    """Return every stage, prod with every option switched on, and each use case deployed alone."""
    whole = ROOT / "template.yaml"
    found = {stage: Expansion(whole, overrides(stage)) for stage in STAGES}
    found["every option"] = Expansion(whole, overrides("prod") | EVERY_OPTION)
    for file in sorted(ROOT.glob("usecases/*/template.yaml")):
        known = load(file)["Parameters"]
        given = {name: value for name, value in overrides("default").items() if name in known}
        found[f"{file.parent.name} alone"] = Expansion(file, given)
    return found


def main() -> int:
    """Return 0 if no judge finds anything that exceptions.toml does not explain, and each of its entries is needed."""
    try:
        expanded = deployments()
        resources = sum(len(expansion.resources) for expansion in expanded.values())
    except ExpansionError as error:
        print(f"The application cannot be expanded: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"{len(expanded)} deployments with {resources} resources, expanded as CloudFormation receives them")  # noqa: T201
    every = list(expanded.values())
    packed = list(batches(every))
    verdicts = [
        cfn_lint.judge(packed),
        *moto_apis.judge(every),
        iam_policies.judge(every),
        state_machines.judge(every),
        checkov.judge(packed),
    ]
    explained = explanations()
    failed = False
    for verdict in verdicts:
        remaining = unexplained(verdict.findings, explained)
        failed |= bool(remaining)
        covered = len(set(verdict.findings)) - len(remaining)
        print(f"{verdict.judge}: {verdict.judged}; {len(remaining)} findings, {covered} explained")  # noqa: T201
        for finding in remaining:
            print(f"  {finding}")  # noqa: T201
    for entry in stale([finding for verdict in verdicts for finding in verdict.findings], explained):
        failed = True
        print(f"exceptions.toml explains what no judge says any more: {entry}")  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
