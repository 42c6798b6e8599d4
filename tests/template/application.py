"""Where the application's templates are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def templates() -> list[Path]:
    """Return every template of the application."""
    return [
        ROOT / "template.yaml",
        *sorted(ROOT.glob("platform/*.yaml")),
        *sorted(ROOT.glob("usecases/*/template.yaml")),
    ]
