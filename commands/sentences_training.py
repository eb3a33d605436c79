"""What is said when a training or one of its pictures is not as it should be. Slack mrkdwn, escaped."""

from __future__ import annotations

from collections.abc import Sequence

from backend_lambda.contract.training_limits import (
    MAX_PICTURE_ASPECT,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_PIXELS,
    MAX_TRAINING_PICTURES,
    MIN_PICTURE_SIDE,
    MIN_TRAINING_PICTURES,
)
from commands.grammar.clean import clean, escape, shorten
from commands.trouble import ApiRefusal, Trouble, code

MEGABYTES = MAX_PICTURE_BYTES // (1024 * 1024)
MEGAPIXELS = MAX_PICTURE_PIXELS // 1_000_000
SET_CHANNEL = "/imagine-admin training --approvals #channel"

FAULTS = {
    "not_uploaded": "did not arrive completely. Add it again.",
    "not_a_picture": "is not a picture that Easel can read. PNG, JPEG and WebP work.",
    "truncated": "is cut off: the file is damaged. Save it anew and add it again.",
    "animated": "is animated. Save one frame of it as PNG or JPEG.",
    "too_large": f"has more than {MEGABYTES} MB. Save it smaller.",
    "too_small": f"is too small. Both sides need at least {MIN_PICTURE_SIDE} pixels.",
    "too_many_pixels": f"has more than {MEGAPIXELS} million pixels. Scale it down.",
    "too_narrow": f"is too narrow. The longer side may be {MAX_PICTURE_ASPECT} times the shorter one. Crop it.",
    # Slack's part.
    "unreadable": "can't be read: Easel has no access to the file. Add it in the form instead.",
    "deleted": "has been deleted in Slack.",
    "too_many": f"is one too many. At most {MAX_TRAINING_PICTURES} pictures are taken.",
}


def picture_fault(name: str, fault: str, same_as: str | None = None) -> str:
    """Which picture, what is wrong with it, and what to do about it."""
    if fault == "duplicate":
        other = code(same_as) if same_as else "another one"
        return f"{code(name)} shows the same as {other}. One of them is enough."
    return f"{code(name)} {FAULTS.get(fault, 'was refused. Use another one.')}"


def too_few(accepted: int) -> str:
    """Not enough pictures are left."""
    missing = MIN_TRAINING_PICTURES - accepted
    return f"A training needs at least {MIN_TRAINING_PICTURES} pictures: {_count(accepted)} so far. Add {missing} more."


def too_many(given: int) -> str:
    """More pictures than a training takes."""
    return f"A training takes at most {MAX_TRAINING_PICTURES} pictures; these are {given}."


def too_large_files(names: Sequence[str]) -> str:
    """Files that need not be looked at. Plain text: it stands beside the field."""
    listed = ", ".join(shorten(name, 60) for name in names[:5])
    return f"At most {MEGABYTES} MB a picture: {listed}{' and others' if len(names) > 5 else ''}."


def nothing_trainable() -> Trouble:
    """No endpoint has a training offer."""
    return Trouble(
        "Nothing can be trained here: no model is set up for training.",
        "Whoever runs Easel can set one up.",
        can_retry=False,
    )


def form_gone() -> Trouble:
    """The form's record is no longer there."""
    return Trouble("Easel does not know this form any more.", "Start a new one with `/finetune`.", can_retry=False)


def not_your_form() -> Trouble:
    """Somebody else's draft."""
    return Trouble("Only who filled in this form can go on with it.", "Start your own with `/finetune`.")


def thread_unreadable(bot_name: str = "@easel") -> Trouble:
    """The pictures of the thread can't be listed."""
    return Trouble(
        "Easel can't see the pictures of that thread, because it is not in the conversation.",
        f"Type {code(f'/invite {bot_name}')} there, or add the pictures in the form.",
    )


def may_not_decide(admins: Sequence[str]) -> Trouble:
    """IAM says no to the approval."""
    whom = ", ".join(f"<@{escape(admin)}>" for admin in admins)
    return Trouble(
        "Your IAM role does not allow you to decide about trainings.",
        f"Who may: {whom}, and whoever else has a role with the right to approve."
        if whom
        else "Whoever has a role with the right to approve may, such as an Easel admin.",
        can_retry=False,
    )


def may_not_approve_own(admins: Sequence[str]) -> Trouble:
    """IAM says no to approving one's own training."""
    whom = " or ".join(f"<@{escape(admin)}>" for admin in admins)
    return Trouble(
        "Your IAM role does not allow you to approve your own training.",
        f"Somebody else has to look at it, for example {whom}." if whom else "Somebody else has to look at it.",
        can_retry=False,
    )


def may_not_cancel(member: str) -> Trouble:
    """IAM or the backend says no to cancelling."""
    return Trouble(
        "You may not cancel this training.",
        f"<@{escape(member)}>, who asked for it, can, or an admin.",
        can_retry=False,
    )


def already_decided(how: str) -> Trouble:
    """The press came too late; `how` says what it is now."""
    return Trouble(f"This is already decided: {how}.", can_retry=False)


def training_over() -> Trouble:
    """Cancel was pressed too late."""
    return Trouble("This training has already ended.", can_retry=False)


def training_finishing() -> Trouble:
    """Cancel was pressed in the moment in which its LoRA is being listed."""
    return Trouble("This training is just finishing.", "Look again in a minute.", can_retry=False)


def draft_expired() -> Trouble:
    """The backend has given the draft up."""
    return Trouble(
        "This form was left alone for too long.", "Press Check pictures to go on; nothing has to be filled in anew."
    )


def training_gone() -> Trouble:
    """There is no such training, or not for them."""
    return Trouble("There is no such training any more.", "Start a new one with `/finetune`.", can_retry=False)


def training_refusal(refusal: ApiRefusal) -> Trouble | None:
    """The backend's refusals that only trainings have; None for all others."""
    match refusal.code:
        case "training_not_found":
            return training_gone()
        case "training_not_in_state":
            return Trouble("That is not possible any more.", "Look at the training's message.", can_retry=False)
        case "pictures_missing":
            return Trouble(
                f"A training needs {MIN_TRAINING_PICTURES} to {MAX_TRAINING_PICTURES} accepted pictures.",
                "Add or leave out some.",
            )
        case "no_training_here":
            return Trouble("This model can't be trained.", "Choose another one.")
        case "lora_name_taken":
            return Trouble("This name belongs to somebody else's LoRA.", "Choose another name.")
        case "not_allowed":
            return Trouble(
                "Only whoever started this training may do that.", "Start your own with `/finetune`.", can_retry=False
            )
        case "endpoint_not_found":
            return Trouble("This model is not deployed any more.", "Choose another one.")
        case "limit_reached" if refusal.limit is None:
            return Trouble(
                f"{escape(str(refusal.given or 'Too many'))} trainings of this workspace are open already.",
                "Cancel one, or wait until one has ended.",
            )
        case "invalid_request" if refusal.field:
            name = refusal.field.split(".")[-1].replace("_", " ")
            given = f" can't be {code(str(refusal.given))}." if refusal.given else " is not right."
            allowed = f" Allowed: {escape(shorten(clean(refusal.allowed), 200))}." if refusal.allowed else ""
            return Trouble(f"The {escape(name)}{given}{allowed}", "Change it and go on.")
        case _:
            return None


def training_trouble(code_name: str, reference: str) -> Trouble:
    """What the person reads when a training failed."""
    match code_name:
        case "start_failed":
            return Trouble("The training could not be started.", "Try again in a few minutes.", reference)
        case "no_capacity":
            return Trouble("AWS had no such instance free.", "Try again later.", reference)
        case "out_of_memory":
            return Trouble(
                "The GPU ran out of memory with these settings.", "Take a lower resolution or rank.", reference
            )
        case "timed_out":
            return Trouble("It took longer than a training may.", "Take fewer steps.", reference)
        case "training_failed":
            return Trouble("It failed while it was training.", "Try again, perhaps with other settings.", reference)
        case "lost":
            return Trouble("It was never heard of again.", "Try again.", reference)
        case _:
            return Trouble("Something went wrong.", "Try again; if it stays, tell whoever runs Easel.", reference)


def _count(pictures: int) -> str:
    return {0: "none", 1: "one"}.get(pictures, str(pictures))
