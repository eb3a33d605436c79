"""The bundles hold what their functions import, and nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.bundles import build_bundle

HANDLERS = {
    "bot": ["bot.handlers.slack", "bot.handlers.worker", "bot.handlers.results", "bot.handlers.install"],
    "backend": [
        "backend_lambda.api.handler",
        "backend_lambda.events.completions",
        "backend_lambda.events.progress",
        "backend_lambda.events.sweep",
    ],
}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_bundle_is_reproducible(name: str) -> None:
    assert build_bundle(name).body == build_bundle(name).body
    assert build_bundle(name).key == build_bundle(name).key


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_import_from_the_bundle_alone_and_need_no_environment(name: str, tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(build_bundle(name).body)).extractall(tmp_path)
    imports = "; ".join(f"import {handler}" for handler in HANDLERS[name])
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {imports}; "
        "heavy = {'torch', 'diffusers', 'deploy', 'tests'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_ack_path_imports_neither_pydantic_nor_boto3_nor_powertools_nor_cryptography(tmp_path: Path) -> None:
    code = (
        "import bot.handlers.slack, sys; "
        "heavy = {'pydantic', 'boto3', 'aws_lambda_powertools', 'cryptography'} & set(sys.modules)"
        "; assert not heavy, heavy"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
