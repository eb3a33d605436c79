"""What `deploy` lists of an endpoint's training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend_lambda.contract.training_estimate import TrainingOffer, estimate
from backend_lambda.contract.training_limits import MAX_RANK, MAX_TRAINING_STEPS, MIN_RANK, MIN_TRAINING_STEPS
from backend_lambda.contract.trainings import TrainingPreset
from deploy.endpoints import EndpointPlan
from deploy.local.stack import TRAINING
from deploy.models import NotAModel, pipeline_of, read_card
from deploy.training import NotTrainable, TrainingPlan, presets_of, training_item
from endpoint.contract import ModelCard, PresetSettings
from tests.fakes.backend import TINY

MODEL = Path(__file__).resolve().parents[3] / "endpoint" / "tiny" / "model"
ITEM_ONLY = {"image_uri", "warm_pool_seconds"}


def plan(**more: object) -> EndpointPlan:
    return EndpointPlan(name="tiny", card=read_card(MODEL), image_uri="easel:1", instance_type="ml.g5.xlarge", **more)  # type: ignore[arg-type]


def test_the_miniature_model_is_offered_as_the_backend_reads_it() -> None:
    presets = presets_of(read_card(MODEL), pipeline_of(MODEL))
    item = plan(training=TRAINING, presets=presets).item("easel-tiny")
    described = json.loads(item["training"]["S"])
    assert {name: described[name] for name in ITEM_ONLY} == {"image_uri": "easel:1", "warm_pool_seconds": 0}
    offer = TrainingOffer.model_validate({name: value for name, value in described.items() if name not in ITEM_ONLY})
    assert offer.spot
    assert {preset: settings.steps for preset, settings in offer.presets.items()} == {
        TrainingPreset.DRAFT: 200,
        TrainingPreset.STANDARD: 400,
        TrainingPreset.FINE: 800,
    }
    assert all(settings.seed == 0 for settings in offer.presets.values())
    guess = estimate(offer, offer.presets[TrainingPreset.STANDARD])
    assert guess.seconds <= 240
    assert guess.dollars == pytest.approx(0.08, abs=0.02)
    card = ModelCard.model_validate_json(item["card"]["S"])
    assert (card.name, card.training) == ("tiny", None)
    assert "training" not in json.loads(item["card"]["S"])


@pytest.mark.parametrize("given", [{"training": None, "presets": read_card(MODEL).training}, {"training": TRAINING}])
def test_nothing_is_offered_without_a_machine_or_presets(given: dict[str, object]) -> None:
    assert set(plan(**given).item("easel-tiny")) == {"name", "sagemaker_endpoint_name", "card"}


def test_a_card_goes_before_its_family() -> None:
    own = read_card(MODEL).training
    assert presets_of(read_card(MODEL), "StableDiffusionXLPipeline") == own
    family = presets_of(TINY, "StableDiffusionXLPipeline")
    assert family is not None
    assert family.standard.resolution == 1_024
    assert presets_of(TINY, "FluxPipeline") is None


def test_price_is_the_operators_or_none() -> None:
    presets = presets_of(TINY, "StableDiffusionPipeline")
    assert presets is not None

    def price(plan: TrainingPlan) -> object:
        return json.loads(training_item(plan, presets, "x"))["price_per_hour"]

    assert price(TrainingPlan(price_per_hour=0.5)) == 0.5
    assert price(TrainingPlan()) is None


def test_spot_and_warm_pool_exclude_one_another() -> None:
    assert TrainingPlan(spot=False, warm_pool_seconds=600).warm_pool_seconds == 600
    with pytest.raises(NotTrainable, match="spot"):
        TrainingPlan(spot=True, warm_pool_seconds=600)
    with pytest.raises(NotTrainable, match="3600"):
        TrainingPlan(spot=False, warm_pool_seconds=3_601)


def test_presets_keep_to_the_limits() -> None:
    settings = {
        "rank": MAX_RANK,
        "steps": MAX_TRAINING_STEPS,
        "batch_size": 1,
        "learning_rate": 1e-4,
        "resolution": 512,
    }
    PresetSettings.model_validate(settings)
    for change in ({"rank": MAX_RANK + 1}, {"rank": MIN_RANK - 1}, {"steps": MIN_TRAINING_STEPS - 1}, {"colour": 1}):
        with pytest.raises(ValidationError):
            PresetSettings.model_validate(settings | change)


def test_a_folder_says_its_pipeline(tmp_path: Path) -> None:
    assert pipeline_of(MODEL) == "StableDiffusionPipeline"
    with pytest.raises(NotAModel, match=r"model_index\.json can't be read"):
        pipeline_of(tmp_path)
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(NotAModel):
        pipeline_of(tmp_path)
