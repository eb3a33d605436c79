"""What happens when someone presses a button: who may do what is decided here again, and at last by IAM."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from bot.board import DELETED
from bot.invocation import Invocation, Kind
from bot.leases import KEPT_SECONDS, Work
from bot.logs import log
from bot.places import Place, request_record_key
from bot.ports.backend import ApiRefused, PictureGone, RoleRefused
from bot.ports.records import Json
from bot.ports.slack import SlackRefused
from bot.posting import post_once, tell
from bot.uploading import upload_once, wait_until_ready
from bot.worker.authorize import AccessRefused, Authorized
from bot.worker.deps import WorkerDeps
from bot.worker.paint import paint
from bot.worker.refusals import refusal_trouble
from commands.grammar.clean import escape
from commands.sentences import (
    Trouble,
    already_finished,
    not_ready,
    not_requester,
    picture_gone,
    role_refused,
    stale_button,
)
from commands.views.result import alt_text, deleted, file_name, single_picture
from commands.views.settings import FinishedSettings
from commands.views.trouble import trouble_message


def press(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> None:
    """Do what a button says, if its message is one of ours and shows what the button carries."""
    if work.data.get("order") is not None:
        # A redo that an earlier try has settled.
        paint(deps, invocation, work, reference)
        return
    facts = deps.board.facts(invocation.team, invocation.channel, invocation.message_ts or "")
    if facts is None or invocation.value not in {facts.get("job_id"), facts.get("request_key")}:
        _answer(deps, invocation, stale_button())
        work.finish()
        return
    match invocation.kind:
        case Kind.REDO | Kind.RETRY:
            _again(deps, invocation, work, facts, reference)
        case Kind.DELETE | Kind.CANCEL:
            _delete(deps, invocation, work, facts, reference)
        case Kind.PICTURE:
            _show_picture(deps, invocation, work, facts, reference)
        case _:
            raise ValueError(f"{invocation.kind} is no button")


def _again(deps: WorkerDeps, invocation: Invocation, work: Work, facts: Json, reference: str) -> None:
    """Paint the same once more: a redo with a new seed and in the thread, another try as it was and where it was."""
    if not facts.get("order"):
        _answer(deps, invocation, picture_gone())
        work.finish()
        return
    order = dict(facts["order"])
    thread_ts = facts.get("thread_ts")
    if invocation.kind is Kind.REDO:
        order.pop("seed", None)
        thread_ts = thread_ts or invocation.message_ts
    work.note(order=order, thread_ts=thread_ts)
    paint(deps, replace(invocation, order=order, thread_ts=thread_ts), work, reference)


def _delete(deps: WorkerDeps, invocation: Invocation, work: Work, facts: Json, reference: str) -> None:
    is_cancel = invocation.kind is Kind.CANCEL
    job_id = facts.get("job_id")
    trouble: Trouble | None = None
    if facts.get("requester") != invocation.member:
        trouble = not_requester(escape(str(facts.get("requester"))))
    elif job_id is None:
        trouble = not_ready()
    elif is_cancel and facts.get("is_final"):
        trouble = already_finished()
    else:
        trouble = _call_backend(deps, invocation, job_id, reference)
    if trouble is not None:
        _answer(deps, invocation, trouble)
    elif not is_cancel:
        _forget(deps, invocation, facts)
        log.info("deleted", extra={"job_id": job_id, "member": invocation.member})
    work.finish()


def _forget(deps: WorkerDeps, invocation: Invocation, facts: Json) -> None:
    """Take pictures and prompt out of Slack and out of the bot's records."""
    for file_id in facts.get("files", []):
        _delete_file(deps, file_id)
    view = deleted(invocation.member)
    for ts in facts.get("singles", []):
        with contextlib.suppress(SlackRefused):
            deps.slack.update(invocation.channel, ts, view)
    forgotten: Json = {"order": None, "settings": None, "pictures": []}
    deps.board.show(_pressed(invocation, facts), DELETED, view, **forgotten)
    key = request_record_key(str(facts.get("request_key")))
    record = deps.store.get(key)
    if record is not None and record.data.get("order") is not None:
        expires_at = int(deps.clock.now() + KEPT_SECONDS)
        deps.store.replace(key, {**record.data, "order": None}, record.version, expires_at)


def _delete_file(deps: WorkerDeps, file_id: str) -> None:
    try:
        deps.slack.delete(file_id)
    except SlackRefused as refused:
        log.warning("file not deleted", extra={"file": file_id, "code": refused.code})


def _call_backend(deps: WorkerDeps, invocation: Invocation, job_id: str, reference: str) -> Trouble | None:
    """Do to the job what the button says, as the member who pressed it: IAM decides."""
    authorized: Authorized | None = None
    try:
        authorized = deps.authorize(invocation)
        credentials = deps.assume(authorized)
        match invocation.kind:
            case Kind.DELETE:
                deps.api.delete_job(credentials, job_id)
            case Kind.CANCEL:
                if not deps.api.cancel_job(credentials, job_id):
                    return already_finished()
            case _:
                deps.api.see_job(credentials, job_id)
    except AccessRefused as refused:
        return refused.trouble
    except RoleRefused:
        return role_refused(reference)
    except ApiRefused as refused:
        # Gone already: what was wanted is so.
        if refused.body.get("code") == "job_not_found" and invocation.kind is Kind.DELETE:
            return None
        return refusal_trouble(refused, None, reference, authorized)
    return None


def _show_picture(deps: WorkerDeps, invocation: Invocation, work: Work, facts: Json, reference: str) -> None:
    """Post one of several pictures in full, in the thread."""
    index = invocation.number - 1
    pictures = facts.get("pictures") or []
    if not 0 <= index < len(pictures):
        is_deleted = "order" in facts and facts["order"] is None
        _answer(deps, invocation, picture_gone() if is_deleted else not_ready())
        work.finish()
        return
    trouble = _call_backend(deps, invocation, str(facts["job_id"]), reference)
    if trouble is not None:
        _answer(deps, invocation, trouble)
        work.finish()
        return
    settings = FinishedSettings(**facts["settings"])
    place = _pressed(invocation, facts)
    name = file_name(settings.prompt, settings.seeds[index], invocation.number)
    try:
        content = deps.pictures.read(pictures[index]["bucket"], pictures[index]["key"])
    except PictureGone:
        _answer(deps, invocation, picture_gone())
        work.finish()
        return
    file_id = upload_once(deps.slack, work, "file_id", name, alt_text(settings), content)
    wait_until_ready(deps.slack, deps.clock, file_id)
    deps.board.add(place, files=file_id)
    view = single_picture(settings, index, file_id, invocation.member)
    key, channel = invocation.request_key, place.channel
    ts = post_once(deps.slack, deps.clock, work, "message_ts", channel, place.root_ts, view, key)
    deps.board.add(place, singles=ts)
    work.finish()


def _pressed(invocation: Invocation, facts: Json) -> Place:
    return Place(invocation.team, invocation.channel, str(invocation.message_ts), facts.get("thread_ts"))


def _answer(deps: WorkerDeps, invocation: Invocation, trouble: Trouble) -> None:
    view = trouble_message(trouble)
    thread_ts = invocation.thread_ts
    try:
        # Beside the message whose button was pressed.
        deps.slack.tell(invocation.channel, thread_ts, invocation.member, view)
    except SlackRefused:
        tell(deps.slack, invocation.channel, thread_ts, invocation.member, invocation.response_url, view)
