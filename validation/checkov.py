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
    """Apply the checks that .checkov.yaml does not leave out. Raises RuntimeError if checkov cannot read a template."""
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        known = {f"/{number}.json": batch for number, batch in enumerate(batches)}
        for name, batch in known.items():
            (Path(folder) / name.lstrip("/")).write_text(json.dumps(batch.template, indent=1), encoding="utf-8")
        options = f"--config-file .checkov.yaml --directory {folder} --output json --soft-fail"
        answer = subprocess.run([_COMMAND, *options.split()], cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(answer.stdout)
    if report["summary"]["parsing_errors"]:
        raise RuntimeError(f"checkov cannot read {report['results']['parsing_errors']}")
    judged = report["summary"]["passed"] + report["summary"]["failed"]
    for failed in report["results"]["failed_checks"]:
        path, kind = known[failed["file_path"]].origin(failed["resource"].rpartition(".")[2])
        findings.append(Finding(NAME, failed["check_id"], path, kind, failed["check_name"]))
    return Verdict(NAME, f"{judged} checks of {report['summary']['resource_count']} resources", findings)
