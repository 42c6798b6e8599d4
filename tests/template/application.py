"""Where the application's templates are, and what a stage deploys them with."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def templates() -> list[Path]:
    """Return every template of the application."""
    return [
        ROOT / "template.yaml",
        *sorted(ROOT.glob("platform/*.yaml")),
        *sorted(ROOT.glob("usecases/*/template.yaml")),
    ]


def overrides(stage: str) -> dict[str, str]:
    """Return the parameters that samconfig.toml deploys a stage with."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    pairs: list[str] = config[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in pairs)
