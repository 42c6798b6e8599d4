"""Every worker unzips all of its code and layers again.

Symptom: thirty functions that start at once take most of a minute, and each keeps its copy of the layer.
Cause: `lambda_runtime.Worker._spawn` extracts each zip into a new folder.
Patch: a zip is extracted once, by content, and hard-linked into the folders of the workers.
It can go when upstream keeps extracted code.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

# Below this, extracting is as fast as linking.
_WORTH_IT = 100_000
_locks: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def apply() -> None:
    """Let the workers' zip files extract through the cache."""
    lambda_runtime.zipfile = _CachingZipModule()


class _CachingZipModule:
    """What the engine's runtime sees as its module `zipfile`."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / "unpacked"  # cleared when an engine starts or stops
        folder.mkdir(exist_ok=True)

        class ZipFile(zipfile.ZipFile):
            def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
                source = Path(str(self.filename))
                if members is not None or pwd is not None or source.stat().st_size < _WORTH_IT:
                    super().extractall(path, members, pwd)
                    return
                with source.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                unpacked = folder / digest
                with _guard:
                    lock = _locks.setdefault(digest, threading.Lock())
                with lock:
                    if not unpacked.is_dir():
                        partial = folder / f"{digest}.partial"
                        shutil.rmtree(partial, ignore_errors=True)
                        super().extractall(partial)
                        partial.rename(unpacked)
                shutil.copytree(unpacked, path, copy_function=os.link, dirs_exist_ok=True)

        self.ZipFile = ZipFile

    def __getattr__(self, name: str) -> Any:
        return getattr(zipfile, name)
