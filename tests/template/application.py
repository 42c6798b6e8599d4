"""Where the application's templates are, and what they are deployed with."""

from pathlib import Path

from validation.stages import EVERY_OPTION, ROOT, STAGES, overrides

__all__ = ["EVERY_OPTION", "ROOT", "STAGES", "overrides", "templates"]


def templates() -> list[Path]:
    """Return every template of the application."""
    return [
        ROOT / "template.yaml",
        *sorted(ROOT.glob("platform/*.yaml")),
        *sorted(ROOT.glob("usecases/*/template.yaml")),
    ]
