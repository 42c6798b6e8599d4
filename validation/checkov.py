"""checkov, in the environment and with the configuration of `make audit`."""

import json
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from validation.findings import Finding, Verdict
from validation.stages import ROOT
from validation.templates import Batch

NAME = "checkov"
_COMMAND = ROOT / ".fanout" / "audit-venv" / "bin" / "checkov"


def judge(batches: Iterable[Batch]) -> Verdict:
    """Apply every check that .checkov.yaml does not leave out. Raises RuntimeError if checkov cannot read a template."""
    findings = []
    judged = 0
    with tempfile.TemporaryDirectory() as folder:
        known = {f"/{number}.json": batch for number, batch in enumerate(batches)}
        for name, batch in known.items():
            (Path(folder) / name.lstrip("/")).write_text(json.dumps(batch.template, indent=1), encoding="utf-8")
        command = [_COMMAND, "--config-file", ROOT / ".checkov.yaml", "--directory", folder, "--output", "json"]
        answer = subprocess.run([*command, "--soft-fail"], cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(answer.stdout)
    if report["summary"]["parsing_errors"]:
        raise RuntimeError(f"checkov cannot read {report['results']['parsing_errors']}")
    judged = report["summary"]["passed"] + report["summary"]["failed"]
    for failed in report["results"]["failed_checks"]:
        path, kind = known[failed["file_path"]].origin(failed["resource"].rpartition(".")[2])
        findings.append(Finding(NAME, failed["check_id"], path, kind, failed["check_name"]))
    return Verdict(NAME, f"{judged} checks of {report['summary']['resource_count']} resources", findings)
