"""What the worker does for trainings, and how it says that something can't be done."""

from __future__ import annotations

from bot.invocation import Invocation, Kind
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import ApiRefused, RoleRefused
from bot.ports.slack import NotInstalled
from bot.posting import tell
from bot.worker.authorize import AccessRefused
from bot.worker.deps import WorkerDeps
from bot.worker.refusals import refusal_of, refusal_trouble
from bot.worker.trainings.ask import ask_for_approval
from bot.worker.trainings.decide import cancel, decide
from bot.worker.trainings.desk import Desk
from bot.worker.trainings.pictures import check_pictures
from bot.worker.trainings.show import show_form
from bot.worker.trainings.trainables import trainables
from commands.sentences import Trouble, role_refused
from commands.sentences_access import role_lacks
from commands.sentences_training import training_refusal
from commands.views.training_form import FormPlace
from commands.views.trouble import trouble_message

FORM_KINDS = frozenset({Kind.TRAINING_FORM, Kind.TRAINING_PICTURES, Kind.TRAINING_ASK})
DECISION_KINDS = frozenset({Kind.TRAINING_APPROVE, Kind.TRAINING_DENY, Kind.TRAINING_SELF_APPROVE})
TRAINING_KINDS = FORM_KINDS | DECISION_KINDS | {Kind.TRAINING_CANCEL}


def train(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> None:
    """Do what the invocation asks for and show the outcome. Safe to repeat at any point."""
    try:
        match invocation.kind:
            case Kind.TRAINING_FORM:
                show_form(deps, invocation, work)
            case Kind.TRAINING_PICTURES:
                check_pictures(deps, invocation, work)
            case Kind.TRAINING_ASK:
                ask_for_approval(deps, invocation, work, reference)
            case Kind.TRAINING_CANCEL:
                cancel(deps, invocation)
            case _:
                decide(deps, invocation)
    except AccessRefused as refused:
        say(deps, invocation, refused.trouble)
    except RoleRefused:
        log.warning("role refused", extra={"request_key": invocation.request_key, "reference": reference})
        say(deps, invocation, role_refused(reference))
    except ApiRefused as refused:
        code = str(refused.body.get("code"))
        log.info("backend refused", extra={"request_key": invocation.request_key, "code": code, "reference": reference})
        if code == "not_allowed" and not refused.body.get("field"):
            # IAM's own refusal is about no field: role or guardrail lack the right.
            authorized = deps.authorize(invocation)
            trouble = role_lacks(authorized.admins, has_guardrail=bool(authorized.grant.policy))
        else:
            trouble = training_refusal(refusal_of(refused, reference)) or refusal_trouble(refused, None, reference)
        say(deps, invocation, trouble)
    work.finish()


def say(deps: WorkerDeps, invocation: Invocation, trouble: Trouble) -> None:
    """Say that it did not work: in the form, which keeps what was filled in, or beside the button."""
    if invocation.kind not in FORM_KINDS:
        view = trouble_message(trouble)
        tell(deps.slack, invocation.channel, invocation.thread_ts, invocation.member, invocation.response_url, view)
        return
    place = FormPlace.from_metadata(invocation.training["place"])
    desk = Desk(deps, invocation, place)
    draft = desk.drafts.load(place.key)
    desk.trouble(trouble, draft if draft is not None and draft.member == invocation.member else None)


def refresh_trainables(deps: WorkerDeps, invocation: Invocation) -> None:
    """Somebody opened the form with an old list: have a newer one ready."""
    try:
        trainables(deps, invocation.team, deps.credentials_for(invocation))
    except (AccessRefused, RoleRefused, ApiRefused, NotInstalled) as error:
        log.info("trainables not refreshed", extra={"team": invocation.team, "problem": type(error).__name__})
