"""Whom a deployment serves, and what becomes of requests from where it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.admission import Admission
from bot.invocation import Invocation, Kind
from commands.sentences_access import not_admitted
from commands.views.action_ids import DELETE
from commands.views.training_form import FormPlace
from tests.fakes.bot_stage import Stage, painting, saying

URL = "https://hooks.example/1"
SILENT = (Kind.REFRESH_MODELS, Kind.REFRESH_TRAINABLES)


@pytest.mark.parametrize(
    ("text", "own", "team", "enterprise", "is_admitted"),
    [
        ("", "", "T1", "E1", False),
        ("*", "", "T1", "", True),
        (" T2, T1 ,,", "", "T1", "", True),
        ("T2", "", "T1", "", False),
        ("E1", "", "T1", "E1", True),
        ("E1", "", "", "E1", True),
        ("T1", "", "T2", "E1", False),
        ("", "T1", "T1", "", True),
        ("", "T1", "T2", "E1", False),
        ("", "", "", "", False),
    ],
)
def test_who_is_admitted(text: str, own: str, team: str, enterprise: str, is_admitted: bool) -> None:
    assert Admission.read(text, own).admits(team, enterprise) is is_admitted


def requests(stage: Stage) -> list[Invocation]:
    """One of each kind that the worker takes from people, about a finished job."""
    job_id, posted = stage.paint()
    stage.finish(job_id)
    at = {"team": "T1", "actor_team": "T1", "channel": "C1", "member": "UADMIN", "at": stage.clock.now()}
    pressed = [
        stage.press(posted, kind, DELETE, request_key=kind.value, response_url=URL)
        for kind in (Kind.REDO, Kind.RETRY, Kind.DELETE, Kind.CANCEL, Kind.PICTURE)
    ]
    admin = [
        Invocation(kind=kind, request_key=kind.value, response_url=URL, command=command, **at)
        for kind, command in (
            (Kind.LIMITS, ""),
            (Kind.ADMIN, "access list"),
            (Kind.ADMIN_CONFIRMED, "access grant <@U9> artist"),
        )
    ]
    registry = [
        Invocation(kind=kind, request_key=kind.value, response_url=URL, message_ts="1.1", command=command, **at)
        for kind, command in (
            (Kind.FINETUNE, "list"),
            (Kind.FINETUNE_PAGE, "list --page 2"),
            (Kind.FINETUNE_CONFIRMED, "delete mascot"),
            (Kind.IMPORT_LORA, ""),
        )
    ]
    place = {"place": FormPlace("form-1", "C1").to_metadata()}
    trainings = [
        Invocation(kind=kind, request_key=kind.value, response_url=URL, view_id="V1", training=place, **at)
        for kind in Kind
        if kind.value.startswith("training_")
    ]
    lists = [Invocation(kind=kind, request_key=kind.value, **at) for kind in SILENT]
    paintings = [painting(key="again", response_url=URL), saying("a house", None)]
    return [*paintings, *pressed, *admin, *registry, *trainings, *lists]


def test_a_workspace_that_was_taken_off_the_list_gets_a_sentence_and_nothing_else() -> None:
    stage = Stage()
    asked = requests(stage)
    assert {one.kind for one in asked} == set(Kind) - {Kind.UNINSTALLED, Kind.TOKENS_REVOKED}
    stage.admission = Admission(frozenset({"T9"}))
    jobs, messages, assumed = dict(stage.api.jobs), len(stage.slack.messages), len(stage.sessions.assumed)
    told = len(stage.slack.told)
    for one in asked:
        assert stage.work(one), one.kind
    assert stage.api.jobs == jobs and len(stage.slack.messages) == messages
    assert len(stage.sessions.assumed) == assumed and stage.access.audit == []
    sentences = [view.text for _, view in [*stage.slack.told[told:], *stage.slack.replaced]]
    assert len(sentences) == len(asked) - len(SILENT), "opening a form asks for lists in silence"
    assert all(not_admitted().sentence in text for text in sentences)


def test_a_workspace_that_is_put_back_is_served_again() -> None:
    stage = Stage()
    stage.admission = Admission(frozenset())
    assert stage.work(painting()) and stage.api.jobs == {}
    stage.admission = Admission(frozenset({"E1"}))
    assert stage.work(replace(painting(key="again"), enterprise="E1")) and len(stage.api.jobs) == 1
