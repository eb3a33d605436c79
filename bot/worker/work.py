"""One queue message: claim it, do what it says, and say so when it can't be done."""

from __future__ import annotations

import contextlib

from bot.invocation import Invocation, Kind
from bot.leases import LeaseHeld, LeaseLost, Work, claim
from bot.logs import log, new_reference
from bot.places import request_record_key
from bot.ports.backend import ApiRefused, RoleRefused
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.posting import tell
from bot.worker.admin import ADMIN_KINDS, administer, answer
from bot.worker.authorize import AccessRefused
from bot.worker.deps import WorkerDeps
from bot.worker.finetune import FINETUNE_KINDS, finetune
from bot.worker.loras import offer_loras, offer_none
from bot.worker.models import models
from bot.worker.paint import give_up, paint
from bot.worker.press import press
from bot.worker.trainings.work import TRAINING_KINDS, refresh_trainables, say, train
from commands.sentences import not_installed, unexpected
from commands.sentences_access import not_admitted
from commands.views.trouble import trouble_message


def work_on(deps: WorkerDeps, invocation: Invocation, message_id: str, is_last_try: bool) -> None:
    """Handle one delivery of an invocation. Whatever it raises, the queue shall deliver it again."""
    is_admitted = deps.admission.admits(invocation.team, invocation.enterprise)
    if invocation.kind in {Kind.REFRESH_MODELS, Kind.REFRESH_TRAINABLES}:
        if is_admitted:
            refresh = _refresh_models if invocation.kind is Kind.REFRESH_MODELS else refresh_trainables
            refresh(deps, invocation)
        return
    reference = new_reference()
    names = ("team", "enterprise", "channel", "member", "at")
    facts = {name: getattr(invocation, name) for name in names}
    work = claim(deps.store, deps.clock, request_record_key(invocation.request_key), message_id, **facts)
    if work is None:
        log.info("already in hand", extra={"request_key": invocation.request_key})
        return
    try:
        if not is_admitted:
            _turn_away(deps, invocation, work)
        elif invocation.kind in {Kind.PAINT, Kind.SAY}:
            paint(deps, invocation, work, reference)
        elif invocation.kind in ADMIN_KINDS:
            administer(deps, invocation, work, reference)
        elif invocation.kind in TRAINING_KINDS:
            train(deps, invocation, work, reference)
        elif invocation.kind in FINETUNE_KINDS:
            finetune(deps, invocation, work, reference)
        else:
            press(deps, _settled(invocation, work), work, reference)
    except (LeaseHeld, LeaseLost):
        raise
    except NotInstalled as gone:
        _drop(deps, invocation, work, gone)
    except Exception:
        log.exception(
            "invocation failed",
            extra={"request_key": invocation.request_key, "reference": reference, "is_last_try": is_last_try},
        )
        if is_last_try:
            if invocation.kind in ADMIN_KINDS | FINETUNE_KINDS:
                answer(deps, invocation, trouble_message(unexpected(reference)))
            elif invocation.kind in TRAINING_KINDS:
                say(deps, invocation, unexpected(reference))
            else:
                give_up(deps, _settled(invocation, work), work, unexpected(reference))
            work.note(gave_up=reference)
        with contextlib.suppress(LeaseLost):
            work.release()
        raise


def _turn_away(deps: WorkerDeps, invocation: Invocation, work: Work) -> None:
    """The operator has taken the workspace off the list since it was installed: nothing is asked of AWS for it."""
    log.warning("not admitted", extra={"team": invocation.team, "enterprise": invocation.enterprise})
    view = trouble_message(not_admitted())
    if invocation.kind in ADMIN_KINDS | FINETUNE_KINDS:
        answer(deps, invocation, view)
    elif invocation.kind in TRAINING_KINDS:
        say(deps, invocation, not_admitted())
    else:
        tell(deps.slack, invocation.channel, invocation.thread_ts, invocation.member, invocation.response_url, view)
    work.finish()


def _drop(deps: WorkerDeps, invocation: Invocation, work: Work, gone: NotInstalled) -> None:
    """Nothing can be shown where the app is not installed, but to whoever still waits for an answer."""
    log.warning("not installed", extra={"team": invocation.team, "code": gone.code, "key": invocation.request_key})
    if invocation.response_url is not None:
        with contextlib.suppress(SlackRefused, SlackUnavailable):
            deps.slack.respond(invocation.response_url, trouble_message(not_installed()))
    work.finish()


def _settled(invocation: Invocation, work: Work) -> Invocation:
    """The invocation in the thread that an earlier try has settled on."""
    if "thread_ts" not in work.data:
        return invocation
    return Invocation(**{**vars(invocation), "thread_ts": work.data["thread_ts"]})


def _refresh_models(deps: WorkerDeps, invocation: Invocation) -> None:
    """Somebody opened a form: have the lists of models and of LoRAs ready."""
    try:
        credentials = deps.credentials_for(invocation)
        models(deps, invocation.team, credentials)
        offer_loras(deps, invocation, credentials)
    except (AccessRefused, RoleRefused, ApiRefused, NotInstalled) as error:
        offer_none(deps, invocation)
        log.info("models not refreshed", extra={"team": invocation.team, "problem": type(error).__name__})
