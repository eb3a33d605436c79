"""The image's definition fits the repository; it can't be built where the tests run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from endpoint.__main__ import SERVING_USER

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = (ROOT / "endpoint" / "Dockerfile").read_text()
REQUIREMENTS = (ROOT / "endpoint" / "requirements.txt").read_text()


def test_everything_that_is_copied_exists() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
        if not source.startswith("--")
    ]
    assert {"endpoint/serving", "endpoint/training", "endpoint/training_contract.py"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_entry_point_takes_serve_and_train() -> None:
    assert 'ENTRYPOINT ["python", "-m", "endpoint"]' in DOCKERFILE
    assert re.search(r"^USER ", DOCKERFILE, re.MULTILINE)
    assert not re.search(r"(?i)(secret|password|token|aws_access)", DOCKERFILE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
def test_serving_gives_up_root_for_good() -> None:
    program = (
        "import os; from endpoint.__main__ import give_up_root; give_up_root('no-such-user'); first = os.geteuid()\n"
        "give_up_root('nobody')\n"
        "try: os.setuid(0)\n"
        "except PermissionError: print(first, os.geteuid() != 0, os.getgroups())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "0 True []\n", done.stderr


def test_the_image_has_the_user_that_serves() -> None:
    assert f"useradd --system --uid 10001 --no-create-home {SERVING_USER}" in DOCKERFILE


def test_requirements_are_exact_and_are_what_is_tested() -> None:
    pins = dict(line.split("==") for line in REQUIREMENTS.splitlines() if line and not line.startswith("#"))
    assert {"torch", "diffusers", "transformers", "pydantic", "uvicorn"} <= set(pins)
    assert {name: version(name).split("+")[0] for name in pins} == pins


def test_serving_and_training_import_nothing_that_the_image_lacks() -> None:
    pinned = {line.split("==")[0] for line in REQUIREMENTS.splitlines() if "==" in line}
    named = {"PIL": "pillow", "pydantic_core": "pydantic", "botocore": "boto3"}
    imported = {
        match.split(".")[0]
        for path in [*(ROOT / "endpoint").glob("*.py"), *(ROOT / "endpoint").glob("[st]*ing/**/*.py")]
        for match in re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(), re.MULTILINE)
    }
    foreign = {named.get(name, name) for name in imported - set(sys.stdlib_module_names) - {"endpoint"}}
    assert foreign <= pinned
