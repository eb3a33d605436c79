"""Each function's settings type and the template name the same variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from backend_lambda.wiring import ApiSettings, DeliverySettings, FollowingSettings, Settings, SettingsError
from bot.wiring import InstallSettings, ResultsSettings, SettingsMissing, SlackSettings, WorkerSettings
from deploy.cloudformation import TEMPLATE

READERS: dict[str, tuple[str, Callable[[Mapping[str, str]], Any]]] = {
    "SlackFunction": ("bot/wiring.py", SlackSettings.from_environment),
    "WorkerFunction": ("bot/wiring.py", WorkerSettings.from_environment),
    "ResultsFunction": ("bot/wiring.py", ResultsSettings.from_environment),
    "ApiFunction": ("backend_lambda/wiring.py", ApiSettings.read),
    "InstallFunction": ("bot/wiring.py", InstallSettings.from_environment),
    "CompletionsFunction": ("backend_lambda/wiring.py", Settings.read),
    "ProgressFunction": ("backend_lambda/wiring.py", Settings.read),
    "WorkspacesFunction": ("backend_lambda/wiring.py", Settings.read),
    "SweepFunction": ("backend_lambda/wiring.py", FollowingSettings.read),
    "TrainingsFunction": ("backend_lambda/wiring.py", FollowingSettings.read),
    "WebhooksFunction": ("backend_lambda/wiring.py", DeliverySettings.read),
}
CHOSEN = {"PICTURE_MODERATION": "none", "MODERATION_CONFIDENCE": "80"}
GIVEN_BY_LAMBDA = {"AWS_REGION": "us-east-1"}
ROOT = Path(__file__).resolve().parents[3]


class Reads(dict[str, str]):
    """An environment that notes what is asked of it."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


def variables() -> dict[str, set[str]]:
    resources = cfn_yaml.load(str(TEMPLATE))["Resources"]
    return {
        name: {str(key) for key in resource["Properties"]["Environment"]["Variables"]}
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def test_every_function_has_a_settings_type() -> None:
    assert set(variables()) == set(READERS)


@pytest.mark.parametrize("function", READERS)
def test_the_template_gives_what_is_read_and_nothing_else(function: str) -> None:
    # A number is a valid value for nearly all of them, and within every range.
    given = dict.fromkeys(variables()[function], "900")
    environment = Reads(given | {name: CHOSEN[name] for name in CHOSEN if name in given} | GIVEN_BY_LAMBDA)
    READERS[function][1](environment)
    assert variables()[function] <= environment.asked


@pytest.mark.parametrize("function", READERS)
def test_all_that_is_missing_is_named_at_once(function: str) -> None:
    with pytest.raises((SettingsError, SettingsMissing)) as caught:
        READERS[function][1]({})
    optional = {"MAX_RECEIVES"}
    for name in variables()[function] - optional:
        assert name in str(caught.value)
