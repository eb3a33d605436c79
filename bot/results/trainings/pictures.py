"""Plot and samples: one message in the training's thread, whose pictures are replaced by newer ones."""

from __future__ import annotations

from backend_lambda.contract.trainings import StoredPicture, Training
from bot.board import Shown
from bot.leases import Work
from bot.logs import log
from bot.places import Place
from bot.ports.records import Json
from bot.posting import post_once
from bot.results.deps import ResultsDeps
from bot.results.trainings.files import drop, upload
from bot.results.trainings.once import once
from bot.training_records import TrainingPlace, TrainingRecords
from commands.views.blocks import Message
from commands.views.training_status import pictures_message

PICTURES_SECONDS = 20.0
"""The least time between two changes of it: every change is an upload, and Slack limits how many."""
NEW = -1
"""The rank of a message that has just been posted."""


def show_pictures(
    deps: ResultsDeps, found: TrainingPlace, training: Training, rank: int, message_id: str, is_last: bool = False
) -> None:
    """Show the newest plot and samples. Never older ones, not too often; files that are replaced are deleted."""
    report = training.report
    if report is None or (report.loss_plot is None and report.samples is None):
        return
    place = found.pictures
    facts = deps.board.facts(place.team, place.channel, place.ts) or {} if place is not None else {}
    keys = [_key(report.loss_plot), _key(report.samples)]
    if facts.get("rank", NEW) > rank or (is_shown(facts) and (facts["rank"] == rank or facts.get("keys") == keys)):
        return
    if not is_last and deps.clock.now() - facts.get("shown_at", 0.0) < PICTURES_SECONDS:
        return

    def show(work: Work) -> None:
        _show(deps, found, training, rank, work, keys, message_id)

    once(deps, training.training_id, f"pictures-{rank}", message_id, show)


def _show(
    deps: ResultsDeps,
    found: TrainingPlace,
    training: Training,
    rank: int,
    work: Work,
    keys: list[str | None],
    message_id: str,
) -> None:
    report, name = training.report, training.name
    assert report is not None
    plot = upload(deps, work, "plot", report.loss_plot, f"{name}-loss-{report.step}.png", f"The loss of {name}")
    samples = upload(
        deps, work, "samples", report.samples, f"{name}-samples-{report.step}.png", f"Samples of {name}, before and now"
    )
    if plot is None and samples is None:
        return
    view = pictures_message(training, plot, samples)
    place = _message(deps, found, training, view, message_id)
    if place is None:
        drop(deps, plot, samples)
        return
    before = deps.board.facts(place.team, place.channel, place.ts) or {}
    # Those of a run that died before it could delete them, too.
    replaced = [*before.get("files", []), *([] if is_shown(before) else before.get("replaced", []))]
    facts: Json = {
        "keys": keys,
        "files": [plot, samples],
        "replaced": [one for one in replaced if one not in {plot, samples}],
        "shown_at": deps.clock.now(),
    }
    shown = deps.board.show(place, rank, view, **facts)
    if shown is Shown.SHOWN:
        drop(deps, *facts["replaced"])
    else:
        log.info("pictures outdated or deleted", extra={"training_id": training.training_id})
        drop(deps, plot, samples)


def _message(
    deps: ResultsDeps, found: TrainingPlace, training: Training, view: Message, message_id: str
) -> Place | None:
    """The one message of all of a training's pictures; None while another run is posting it."""
    if found.pictures is not None:
        return found.pictures
    records = TrainingRecords(deps.store, deps.clock)
    channel, thread_ts = found.place.channel, found.place.root_ts

    def post(work: Work) -> None:
        key = f"{training.training_id}-pictures"
        ts = post_once(deps.slack, deps.clock, work, "ts", channel, thread_ts, view, key)
        place = Place(found.place.team, channel, ts, thread_ts)
        deps.board.open(place, NEW, view, training_id=training.training_id)
        records.note(training.training_id, pictures=vars(place))

    once(deps, training.training_id, "pictures-message", message_id, post)
    noted = records.find(training.training_id)
    return noted.pictures if noted is not None else None


def is_shown(facts: Json) -> bool:
    """Whether the message shows what its record says, so that nobody has died in between."""
    return "rank" in facts and facts.get("shown_rank") == facts["rank"]


def _key(stored: StoredPicture | None) -> str | None:
    return stored.key if stored is not None else None
