"""Runs the wiring rules as cfn-lint does, without its own rules, which would take most of the time."""

from pathlib import Path

from cfnlint.config import ConfigMixIn
from cfnlint.match import Match
from cfnlint.rules import Rules
from cfnlint.runner.template import run_template_by_file_path

from fanout_wiring._rules import RULES


def judged(file: Path, *options: str, only: str = "") -> list[Match]:
    """Return what the rules, or only one, have to say about a template. Suppressions hold; options are cfn-lint's."""
    rules = Rules._from_list([rule() for rule in RULES if only in ("", rule.id)])
    config = ConfigMixIn([*options, "--template", str(file)])
    return list(run_template_by_file_path(str(file), config, rules, ignore_bad_template=False))
