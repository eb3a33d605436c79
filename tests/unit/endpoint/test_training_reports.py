"""What people see of a running training: the plot, the samples, the report, the numbers in the log."""

from __future__ import annotations

import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from endpoint.contract import OutputLocation
from endpoint.serving.json_log import log_as_json
from endpoint.training.loss_plot import HEIGHT, WIDTH, draw_loss_plot
from endpoint.training.report import Reporter
from endpoint.training.run_training import log_step
from endpoint.training.sample_sheet import draw_sample_sheet
from endpoint.training.smoothing import ends, smoothed
from endpoint.training_contract import METRIC_DEFINITIONS, TrainingPhase, TrainingProgress
from tests.fakes.fake_picture_store import FakePictureStore
from tests.fakes.training_requests import training_request

OUTPUT = OutputLocation(bucket="pictures", prefix="trainings/t/")


def read(body: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(body)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def blue_columns(plot: np.ndarray) -> np.ndarray:
    """Where the bold line is."""
    return np.flatnonzero((np.abs(plot - (74, 84, 225)).sum(axis=2) < 40).any(axis=0))


def test_the_plot_grows_with_the_steps() -> None:
    losses = [1 / (1 + at / 40) for at in range(200)]
    half, whole = (read(draw_loss_plot(losses[:count], 200, "Training mug")) for count in (100, 200))
    assert half.shape == (HEIGHT, WIDTH, 3)
    assert blue_columns(half).max() < WIDTH * 0.6 < WIDTH * 0.9 < blue_columns(whole).max()
    line = [np.flatnonzero(np.abs(whole[:, x] - (74, 84, 225)).sum(axis=1) < 40).mean() for x in (120, 800)]
    assert line[0] < line[1], "a loss that falls goes down on the plot"


@pytest.mark.parametrize("losses", [[], [0.5], [0.0, 0.0], [1e-6, 2e-6], [3.0, 1e9, 2.0]])
def test_odd_losses_are_plotted_too(losses: list[float]) -> None:
    assert read(draw_loss_plot(losses, 10, "Training mug")).shape == (HEIGHT, WIDTH, 3)


def test_smoothing_follows_without_jumping() -> None:
    assert smoothed([2.0], 100) == [2.0]
    jumping = [1.0, 3.0] * 50
    assert smoothed(jumping, 100)[-1] == pytest.approx(2.0, abs=0.2)
    assert ends([4.0, *[1.0] * 18, 0.5]) == (2.5, 0.75)
    assert ends([1.0]) == (1.0, 1.0)


@pytest.mark.parametrize("prompts", [1, 2, 3, 4])
def test_samples_stand_side_by_side(prompts: int) -> None:
    before = [Image.new("RGB", (64, 64), (200, 0, 0))] * prompts
    now = [Image.new("RGB", (64, 64), (0, 0, 200))] * prompts
    sheet = read(draw_sample_sheet([f"a mug {'x' * 99}"] * prompts, before, now, 40))
    for color in ((200, 0, 0), (0, 0, 200)):
        assert (sheet == color).all(axis=2).sum() == prompts * 64 * 64
    red, blue = ((sheet == color).all(axis=2).any(axis=0).argmax() for color in ((200, 0, 0), (0, 0, 200)))
    assert red < blue


def test_a_slow_store_gets_the_newest_only() -> None:
    store = FakePictureStore()
    store.seconds = 0.05
    reporter = Reporter(store, OUTPUT, "trn-1", 100)
    for step in range(1, 41):
        reporter.tell(TrainingPhase.TRAINING, step, loss_plot=b"%d" % step)
        time.sleep(0.005)
    reporter.close(5)
    told = [TrainingProgress.model_validate_json(body) for name, body in store.history if name == "progress.json"]
    assert len(told) < 20
    assert (told[-1].step, told[-1].loss_key) == (40, "trainings/t/loss-40.png")
    assert store.files["pictures/trainings/t/loss-40.png"] == b"40"


def test_a_picture_that_was_not_stored_is_not_named() -> None:
    store = FakePictureStore()
    store.refuses = {"loss-2.png"}
    reporter = Reporter(store, OUTPUT, "trn-1", 3)
    for step in (1, 2, 3):
        reporter.tell(TrainingPhase.TRAINING, step, loss_plot=b"plot" if step < 3 else None)
        time.sleep(0.1)
    reporter.close(5)
    told = TrainingProgress.model_validate_json(store.files["pictures/trainings/t/progress.json"])
    assert (told.step, told.loss_key) == (3, "trainings/t/loss-1.png")


def test_sagemakers_expressions_find_the_numbers() -> None:
    stream = io.StringIO()
    log_as_json("INFO", stream)
    log_step(training_request(), 50, 0.000012, 12.5)
    line = stream.getvalue()
    assert json.loads(line)["message"] == "step"
    found = {name: re.findall(expression, line) for name, expression in METRIC_DEFINITIONS.items()}
    assert {name: [float(number) for number in numbers] for name, numbers in found.items()} == {
        "loss": [1.2e-05],
        "step": [50],
        "seconds_per_step": [0.25],
    }
