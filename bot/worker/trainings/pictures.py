"""Checking the pictures of a form: from Slack to the backend, each once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from backend_lambda.contract.training_limits import (
    MAX_PICTURE_BYTES,
    MAX_TRAINING_PICTURES,
    MIN_TRAINING_PICTURES,
)
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import DatasetPicture, PictureState, Training
from bot.invocation import Invocation
from bot.leases import TimeRanShort, Work
from bot.logs import log
from bot.ports.backend import ApiRefused, Credentials
from bot.ports.slack import FileTooLarge, NotInstalled, SlackRefused
from bot.worker.deps import WorkerDeps
from bot.worker.trainings.desk import Desk
from bot.worker.trainings.drafts import ACCEPTED, FILLING, REFUSED, REVIEW, WAITING, Draft, DraftPicture
from bot.worker.trainings.review import show_review
from bot.worker.trainings.trainables import trainables
from commands.grammar.clean import shorten
from commands.sentences_training import not_your_form, picture_fault, thread_unreadable
from commands.views.training_form import Filled, checking_view

DELETED_CODES = frozenset({"file_deleted"})
PROGRESS_SECONDS = 1.5
CHECK_SECONDS = 30.0
"""A run takes no new picture after that: the function may run for 60 s, and those under way are waited for."""
SHORT_RUNS = 3
"""So many runs may stop for the time. Later ones go on as long as they can: the queue gives up after five."""
FILENAME_CHARS = 200


def check_pictures(deps: WorkerDeps, invocation: Invocation, work: Work) -> None:
    """Bring the form's pictures to the backend and show what it says of them. Safe to repeat at any point.

    Raises `ApiRefused` for what is wrong with the form as a whole, and `TimeRanShort` where another run has to go on.
    """
    filled = Filled.from_json(invocation.training)
    desk = Desk(deps, invocation, filled.place)
    known = desk.drafts.load(desk.key)
    if known is not None and known.member != invocation.member:
        desk.trouble(not_your_form())
        return
    removed = _removed(known, filled, work)
    draft = desk.drafts.fill(filled, invocation.member)
    credentials = deps.credentials_for(invocation)
    listed = trainables(deps, invocation.team, credentials)
    if filled.with_thread:
        try:
            draft = _add_thread(desk, filled)
        except NotInstalled:
            raise
        except SlackRefused as refused:
            log.info("thread not read", extra={"form": desk.key, "code": refused.code})
            desk.trouble(thread_unreadable(), draft)
            return
    training, draft = _drafted(desk, draft, work, credentials)
    for picture_id in removed:
        _remove(deps, credentials, training, picture_id)
    draft = _check_all(desk, draft, training, credentials, work)
    if "faults" not in work.data:
        work.note(faults=[one.fault for one in draft.pictures if one.state == REFUSED])
    faults = work.data["faults"]
    is_good = not faults and len(draft.accepted) >= MIN_TRAINING_PICTURES
    if is_good:
        training = deps.trainings.see_training(credentials, training.training_id)

    def settle(now: Draft) -> Draft:
        stage = REVIEW if is_good else FILLING
        return replace(now, pictures=now.accepted, faults=faults, stage=stage)

    draft = desk.drafts.change(desk.key, settle)
    log.info(
        "pictures checked",
        extra={"training_id": training.training_id, "accepted": len(draft.accepted), "refused": len(faults)},
    )
    if is_good:
        show_review(desk, draft, training, listed)
    else:
        desk.show_form(draft, listed)


def _removed(known: Draft | None, filled: Filled, work: Work) -> list[str]:
    """The backend's ids of pictures that the member has left out, noted: the form forgets them next."""
    if "removed" not in work.data:
        pictures = known.pictures if known is not None else ()
        work.note(removed=[one.picture_id for one in pictures if one.file in filled.left_out and one.picture_id])
    return list(work.data["removed"])


def _add_thread(desk: Desk, filled: Filled) -> Draft:
    root = str(filled.place.source_ts)
    found = desk.deps.slack.pictures_in_thread(filled.place.channel, root)
    left_out = set(filled.left_out)

    def add(draft: Draft) -> Draft:
        there = {one.file for one in draft.pictures} | left_out
        new = [DraftPicture(one.file_id, one.name) for one in found if one.file_id not in there]
        return replace(draft, pictures=[*draft.pictures, *new])

    return desk.drafts.change(desk.key, add)


def _drafted(desk: Desk, draft: Draft, work: Work, credentials: Credentials) -> tuple[Training, Draft]:
    """The backend's draft for what is filled in: the one that there is, or another one where something changed."""
    api = desk.deps.trainings
    if draft.training_id is not None and draft.drafted == draft.order:
        training = _open_draft(desk.deps, credentials, draft.training_id)
        if training is not None:
            return training, draft
    if "generation" not in work.data:
        work.note(generation=draft.generation + 1)
    generation = int(work.data["generation"])
    body = {
        **draft.order.to_json(),
        "idempotency_key": f"{desk.key}-{generation}",
        "context": {"form": desk.key},
    }
    training = api.create_training(credentials, body)
    replaced = draft.training_id if draft.training_id != training.training_id else None

    def note(now: Draft) -> Draft:
        # The new one has none of the pictures yet.
        pictures = [DraftPicture(one.file, one.name) for one in now.pictures] if replaced else now.pictures
        return replace(
            now,
            training_id=training.training_id,
            drafted=draft.order,
            generation=generation,
            pictures=pictures,
            captions={} if replaced else now.captions,
        )

    draft = desk.drafts.change(desk.key, note)
    if replaced is not None:
        try:
            api.cancel_training(credentials, replaced)
        except ApiRefused as refused:
            # It expires by itself.
            log.info("draft not ended", extra={"training_id": replaced, "code": str(refused)})
    return training, draft


def _open_draft(deps: WorkerDeps, credentials: Credentials, training_id: str) -> Training | None:
    try:
        training = deps.trainings.see_training(credentials, training_id)
    except ApiRefused as refused:
        if refused.body.get("code") != "training_not_found":
            raise
        return None
    return training if training.state is TrainingState.DRAFT else None


def _remove(deps: WorkerDeps, credentials: Credentials, training: Training, picture_id: str) -> None:
    if picture_id not in {one.picture_id for one in training.pictures}:
        return
    deps.trainings.remove_picture(credentials, training.training_id, picture_id)


def _check_all(desk: Desk, draft: Draft, training: Training, credentials: Credentials, work: Work) -> Draft:
    """Check what has not been checked, several at the same time, and note each as soon as it is known."""
    taken = [one for one in draft.pictures if one.state != REFUSED][:MAX_TRAINING_PICTURES]
    for one in draft.pictures:
        if one.state == WAITING and one not in taken:
            draft = _note(desk, replace(one, state=REFUSED, fault=picture_fault(one.name, "too_many")))
    waiting = [one for one in taken if one.state == WAITING]
    seen = {one.key: one for one in training.pictures}
    began_at = shown_at = desk.deps.clock.now()
    may_stop = work.data["tries"] <= SHORT_RUNS
    pool = ThreadPoolExecutor(desk.deps.pictures_at_once)
    try:
        futures = [pool.submit(_check_one, desk.deps, credentials, training.training_id, one, seen) for one in waiting]
        for done, future in enumerate(as_completed(futures), start=1):
            draft = _note(desk, future.result())
            now = desk.deps.clock.now()
            if now - shown_at >= PROGRESS_SECONDS and done < len(waiting):
                desk.show_lightly(checking_view(desk.place, done, len(waiting)))
                shown_at = now
            if now - began_at >= CHECK_SECONDS and done < len(waiting) and may_stop:
                work.release()
                raise TimeRanShort(desk.key)
    finally:
        pool.shutdown(cancel_futures=True)
    return draft


def _note(desk: Desk, picture: DraftPicture) -> Draft:
    return desk.drafts.change(desk.key, lambda draft: draft.with_picture(picture))


def _check_one(
    deps: WorkerDeps,
    credentials: Credentials,
    training_id: str,
    picture: DraftPicture,
    seen: Mapping[str, DatasetPicture],
) -> DraftPicture:
    """What becomes of one picture. Its key is Slack's id of the file: adding it twice adds it once."""
    decided = seen.get(picture.file)
    if decided is not None and decided.state is not PictureState.WAITING:
        return _outcome(picture, decided)
    try:
        file = deps.slack.look_at(picture.file)
        picture = replace(picture, name=shorten(file.name, FILENAME_CHARS) or picture.name)
        if file.is_deleted:
            return _refused(picture, "deleted")
        if file.size_bytes > MAX_PICTURE_BYTES:
            return _refused(picture, "too_large")
        content = deps.slack.download(file, MAX_PICTURE_BYTES)
    except NotInstalled:
        raise
    except FileTooLarge:
        return _refused(picture, "too_large")
    except SlackRefused as refused:
        log.info("file not readable", extra={"file": picture.file, "code": refused.code})
        return _refused(picture, "deleted" if refused.code in DELETED_CODES else "unreadable")
    if not content:
        return _refused(picture, "not_uploaded")
    body = {"key": picture.file, "filename": picture.name, "bytes": len(content)}
    upload = deps.trainings.add_picture(credentials, training_id, body)
    deps.trainings.upload_picture(upload, content)
    return _outcome(picture, deps.trainings.check_picture(credentials, training_id, upload.picture_id))


def _outcome(picture: DraftPicture, decided: DatasetPicture) -> DraftPicture:
    if decided.state is PictureState.ACCEPTED:
        return replace(picture, state=ACCEPTED, picture_id=decided.picture_id, fault="")
    fault = decided.fault.value if decided.fault is not None else ""
    sentence = picture_fault(picture.name, fault, decided.same_as)
    return replace(picture, state=REFUSED, picture_id=decided.picture_id, fault=sentence)


def _refused(picture: DraftPicture, fault: str) -> DraftPicture:
    return replace(picture, state=REFUSED, fault=picture_fault(picture.name, fault))
