"""Where this checkout is, and where it keeps the state of its engine.

A checkout has one engine. Its state (port, data, profile, journal) is in `.fanout/` of the checkout; the variable
FANOUT_STATE names another folder, which gives tests an engine of their own.
"""

import os
from pathlib import Path

from fanout_cli.errors import UserError

# `make setup` creates it; it is separate from .venv because SAM CLI and ministack pin different botocores.
ENGINE_ENVIRONMENT = Path(__file__).resolve().parents[3] / ".fanout" / "engine-venv"
# What makes a folder a checkout of a fan-out application: the layer is in every one, however it was forked.
_LAYER = Path("layers", "common", "fanout")


def checkout() -> Path:
    """Return the root of the checkout that contains the current folder, else the one this command was installed from.

    Raises UserError outside of both.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / _LAYER).is_dir():
            return folder
    raise UserError(
        f"{here} is not in a fanout checkout (no parent folder has {_LAYER})",
        "Change into the checkout and run the command again.",
    )


def state_folder() -> Path:
    """Return the folder with the state of this checkout's engine. It need not exist."""
    named = os.environ.get("FANOUT_STATE")
    if not named:
        return checkout() / ".fanout"
    try:
        folder = Path(named).expanduser().resolve()
        is_usable = next(each for each in (folder, *folder.parents) if each.exists()).is_dir()
    except (OSError, RuntimeError):  # a symbolic link loop, an unknown user's home
        is_usable = False
    if not is_usable:
        raise UserError(f"FANOUT_STATE is {named!r}, which is not a folder", "Name one, existing or not, or unset it.")
    return folder


def replace_file(file: Path, content: bytes) -> None:
    """Write a file atomically, for the current user only: a reader sees the old or the new content. Raises OSError."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    fresh.replace(file)
