"""What `make run` and `make imagine` run, as a person meets it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deploy.local.follow_imagine import read_facts
from deploy.local.imagine import imagine
from deploy.local.processes import free_port
from deploy.local.stack import LocalStack

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[2]


def test_imagine_prints_the_stages_and_the_path_last(
    stack: LocalStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imagine(stack, "a small blue star on a yellow background --seed 1", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-5:-1]] == ["ack", "queued", "model", "posted"]
    png = Path(lines[-1])
    assert png.parent == tmp_path
    assert read_facts(png.read_bytes())["prompt"] == "a small blue star on a yellow background"


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("a boat --stepz 3", "--steps"),
        ("a boat --model nowhere", "nowhere"),
        ("   ", "PROMPT"),
        ("x" * 10_000, "10,000"),
    ],
)
def test_imagine_that_fails_says_so_in_one_line(
    stack: LocalStack, tmp_path: Path, capsys: pytest.CaptureFixture[str], prompt: str, says: str
) -> None:
    assert imagine(stack, prompt, tmp_path) == 1
    printed = capsys.readouterr()
    assert says in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_imagine_says_where_it_cannot_save(
    stack: LocalStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "not-a-folder"
    file.write_text("")
    assert imagine(stack, "a red ring --steps 3", file) == 1
    assert "could not be saved" in capsys.readouterr().err


def test_run_serves_the_page_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    run = subprocess.Popen(
        [sys.executable, "-u", "-m", "deploy.local", "run", "--port", str(port)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would what it starts; a person's command does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert run.stdout is not None
        printed = ""
        deadline = time.monotonic() + 120
        while "Ctrl-C" not in printed and time.monotonic() < deadline:
            line = run.stdout.readline()
            assert line, printed
            printed += line
        address = re.search(r"http://127\.0\.0\.1:\d+", printed)
        assert address is not None
        assert address.group(0).endswith(f":{port}")
        page = httpx.get(address.group(0))
        assert page.status_code == 200
        assert "Local workspace" in page.text
        children = descendants(run.pid)
        assert len(children) >= 3
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
        assert not [pid for pid in children if is_alive(pid)]
        assert list(tmp_path.iterdir()) == []
    finally:
        if run.poll() is None:
            run.kill()
        run.wait()


def descendants(pid: int) -> list[int]:
    """All processes below one, by /proc."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
