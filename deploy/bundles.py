"""The Lambda bundles: which folders each deployable carries, zipped the same way every time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = {
    "bot": ("bot", "commands", "backend_lambda/contract"),
    "backend": ("backend_lambda", "endpoint/contract.py", "endpoint/training_contract.py"),
}
"""What each bundle carries of this repository. torch and the Slack SDK's users stay apart by construction."""

# The packages above the folders: `import backend_lambda.contract` must work where only that part is carried.
PACKAGES = {"bot": ("backend_lambda/__init__.py",), "backend": ("endpoint/__init__.py",)}

_EPOCH = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """A zip and the key that names its content: the same sources give the same key."""

    name: str
    body: bytes

    @property
    def key(self) -> str:
        """Where it belongs in the code bucket."""
        return f"bundles/{self.name}-{hashlib.sha256(self.body).hexdigest()[:32]}.zip"


def build_bundle(name: str) -> Bundle:
    """Zip our own code of one deployable (`bot` or `backend`), byte for byte reproducible.

    Third-party packages are not in it: the one-machine stack's functions find them in the interpreter they run in.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(_sources(name)):
            entry = zipfile.ZipInfo(path.relative_to(ROOT).as_posix(), date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return Bundle(name, buffer.getvalue())


def _sources(name: str) -> set[Path]:
    found = {ROOT / package for package in PACKAGES[name]}
    for folder in FOLDERS[name]:
        path = ROOT / folder
        found |= {path} if path.is_file() else set(path.rglob("*.py"))
    return found
