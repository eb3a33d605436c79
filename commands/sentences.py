"""Every sentence that says that something is wrong, in one place. Slack mrkdwn, escaped; never an exception's text."""

from __future__ import annotations

from collections.abc import Sequence

from commands.grammar.clean import clean, escape, shorten
from commands.grammar.mistakes import (
    BadArgument,
    BadValue,
    CommandTooLong,
    DuplicateOption,
    MissingArgument,
    MissingValue,
    Mistake,
    NothingNamed,
    NotTogether,
    PromptMissing,
    PromptTooLong,
    SuperfluousWords,
    UnknownOption,
    UnknownSubcommand,
)
from commands.sentences_access import (
    access_conflict,
    blocked_words,
    guardrail_too_long,
    last_admin,
    limit_reached,
    moderated,
    unchecked,
)
from commands.sentences_loras import (
    lora_file_unusable,
    lora_name_taken,
    lora_not_fitting,
    lora_not_found,
    lora_unusable,
    lora_version_not_found,
    training_not_found,
    training_not_in_state,
)
from commands.trouble import ApiRefusal as ApiRefusal
from commands.trouble import Trouble as Trouble
from commands.trouble import code as code
from commands.trouble import trouble_text as trouble_text

SENTENCE_CHARS = 600
LISTED_NAMES = 20

# Field of the API's request → how the person says it.
SAID_AS = {
    "prompt": "the prompt",
    "negative_prompt": "`--no`",
    "aspect_ratio": "`--ar`",
    "width": "`--ar`",
    "height": "`--ar`",
    "pictures": "`--n`",
    "seed": "`--seed`",
    "steps": "`--steps`",
    "guidance_scale": "`--cfg`",
    "endpoint": "`--model`",
    "role": "the role",
    "external_id": "`--external-id`",
    "ends_at": "`--until`",
    "reason": "`--reason`",
    "images_per_day": "`--images`",
    "gpu_seconds_per_day": "`--gpu-minutes`",
    "jobs_at_once": "`--jobs`",
    "max_pixels": "`--size`",
    "max_steps": "`--steps`",
    "models": "`--models`",
    "guardrail": "the guardrail",
    "words": "the words",
    "loras": "`--lora`",
    "weight": "the weight of `--lora`",
    "version": "the version of `--lora`",
    "name": "the name",
    "trigger": "the trigger word",
    "licence_note": "the note",
    "approvals_place": "`--approvals`",
    "approval_days": "`--approval-days`",
    "keep_dataset_days": "`--keep-pictures`",
}

BOUNDED_BY_LIMITS = frozenset({"endpoint", "width", "height", "aspect_ratio", "steps"})


def mistake_sentence(mistake: Mistake) -> str:
    """What is wrong with what was typed, what was given, what is allowed."""
    match mistake:
        case UnknownOption(command, given, nearest, available):
            if nearest is not None:
                return f"{code(f'--{given}')} is not an option of {command}. Did you mean {code(f'--{nearest}')}?"
            names = ", ".join(code(f"--{name}") for name in available)
            return f"{code(f'--{given}')} is not an option of {command}. Its options are {names}."
        case DuplicateOption(option):
            return f"{code(f'--{option}')} is given more than once. Give it once."
        case MissingValue(option, allowed):
            return f"{code(f'--{option}')} needs a value: {escape(allowed)}."
        case BadValue(option, given, allowed, nearest):
            return f"{code(f'--{option}')} can't be {code(given)}. It takes {escape(allowed)}.{_meant(nearest)}"
        case PromptMissing(command):
            return f"There is nothing to paint yet. Say what, for example: {code(f'{command} a red boat')}."
        case PromptTooLong(option, length, limit):
            what = "The prompt" if option is None else code(f"--{option}")
            return f"{what} has {length:,} characters. At most {limit:,} are allowed."
        case UnknownSubcommand(command, given, nearest, available):
            if nearest is not None:
                return f"{code(f'{command} {given}')} is nothing that Easel can do.{_meant(nearest)}"
            names = ", ".join(code(name) for name in available)
            return f"{code(f'{command} {given}')} is nothing that Easel can do. It knows {names}."
        case MissingArgument(subcommand, argument, allowed):
            return f"{code(subcommand)} lacks the {escape(argument)}: {escape(allowed)}."
        case BadArgument(subcommand, argument, given, allowed, nearest):
            what = f"The {escape(argument)} of {code(subcommand)}"
            return f"{what} can't be {code(given)}. It takes {escape(allowed)}.{_meant(nearest)}"
        case SuperfluousWords(subcommand, given):
            return f"{code(subcommand)} does not know what {code(given)} means there."
        case NothingNamed(subcommand, options):
            names = ", ".join(code(f"--{name}") for name in options)
            return f"{code(subcommand)} needs at least one of {names}."
        case NotTogether(option, only):
            return f"{code(f'--{option}')} goes with {escape(only)} only."
        case CommandTooLong(length, limit):
            return f"Written out, this has {length:,} characters. At most {limit:,} can be confirmed at once."


def mistakes_text(mistakes: Sequence[Mistake]) -> str:
    """All mistakes, one line each."""
    return "\n".join(mistake_sentence(mistake) for mistake in mistakes)


def _meant(nearest: str | None) -> str:
    return f" Did you mean {code(nearest)}?" if nearest is not None else ""


def not_queued(reference: str) -> Trouble:
    """The invocation could not be put on the queue."""
    return Trouble("Easel could not take that: its queue did not answer.", "Nothing was started. Try again.", reference)


def unexpected(reference: str) -> Trouble:
    """Something that nobody foresaw, and that the logs know by the reference."""
    return Trouble(
        "Something went wrong on Easel's side.", "Try again; if it stays, tell whoever runs Easel.", reference
    )


def role_refused(reference: str) -> Trouble:
    """The granted role exists in the table, but can't be assumed."""
    return Trouble(
        "The IAM role that is granted to you can't be used: AWS refused it.",
        "An Easel admin of this workspace can check the role's trust policy and the grant.",
        reference,
    )


def not_in_channel(bot_name: str = "@easel") -> Trouble:
    """The bot can't post where the command was typed."""
    return Trouble(
        "Easel is not in this conversation, so it can't post pictures here.",
        f"Type {code(f'/invite {bot_name}')} here (or send Easel a direct message), then try again.",
    )


def not_installed() -> Trouble:
    """The app has no token in this workspace any more."""
    return Trouble(
        "Easel can't work in this workspace: its installation here has ended.",
        "An admin of the workspace can install it again.",
        can_retry=False,
    )


def not_requester(member: str) -> Trouble:
    """Someone else's picture."""
    return Trouble(f"Only <@{member}>, who asked for it, can do that.", "Redo paints one of your own.", can_retry=False)


def stale_button() -> Trouble:
    """The button's message is not (or no longer) known, or shows another job."""
    return Trouble(
        "This button no longer works: Easel does not know this message any more.", "Start a new one with `/imagine`."
    )


def picture_gone() -> Trouble:
    """The pictures of the job were deleted."""
    return Trouble("This picture has been deleted.", "Paint it again with Redo or `/imagine`.", can_retry=False)


def not_ready() -> Trouble:
    """The job has not got as far as the button needs."""
    return Trouble("This is not finished yet.", "Wait for the picture, then press again.", can_retry=False)


def already_finished() -> Trouble:
    """Cancel was pressed too late."""
    return Trouble("This is already finished.", can_retry=False)


def api_trouble(refusal: ApiRefusal, model: str | None) -> Trouble:
    """What the person reads when the backend refuses; `model` is the model that was asked for."""
    match refusal.code:
        case "endpoint_not_found":
            there = ", ".join(code(name) for name in list(refusal.available)[:LISTED_NAMES])
            there = f"There are: {there}." if there else "No model is deployed yet; whoever runs Easel can deploy one."
            return Trouble(
                f"There is no model {code(model or '')}. {there}", "Name another with `--model`.", can_retry=False
            )
        case "invalid_request":
            field = (refusal.field or "").split(".")[-1]
            if field in BOUNDED_BY_LIMITS and refusal.message:
                # Whose limit it is, or which model's: the backend says that, and the numbers.
                return Trouble(_message(refusal, ""), "Change it and try again.", can_retry=False)
            what = SAID_AS.get(field)
            if what is None:
                return Trouble(_message(refusal, "The settings don't go together."), "Change them and try again.")
            given = f" can't be {code(refusal.given)}." if refusal.given else " is not right."
            allowed = f" Allowed: {escape(shorten(clean(refusal.allowed), 200))}." if refusal.allowed else ""
            return Trouble(
                f"{what[:1].upper() + what[1:]}{given}{allowed}", "Change it and try again.", can_retry=False
            )
        case "not_allowed":
            return Trouble(
                "Your IAM role does not allow that.",
                "An Easel admin of this workspace can grant you a role that does.",
                can_retry=False,
            )
        case "endpoint_unavailable":
            return Trouble(f"The model {code(model or '')} takes no work at the moment.", "Try again in a few minutes.")
        case "too_many_requests":
            return Trouble("Easel is very busy.", "Try again in a minute.", refusal.reference)
        case "too_large":
            return Trouble(
                "That is more than Easel takes at once.", "Shorten the prompt and try again.", can_retry=False
            )
        case "job_not_found":
            return picture_gone()
        case "job_not_deletable":
            return Trouble(_message(refusal, "This can't be deleted now."), "Try again when it is finished.")
        case "limit_reached":
            return limit_reached(refusal.limit)
        case "blocked_words":
            return blocked_words(refusal.given)
        case "last_admin":
            return last_admin()
        case "guardrail_too_long":
            return guardrail_too_long(refusal.allowed)
        case "access_conflict":
            return access_conflict()
        case "lora_not_found":
            if (refusal.field or "").split(".")[-1] == "version":
                return lora_version_not_found(refusal.message, refusal.available)
            return lora_not_found(refusal.given, refusal.available)
        case "lora_not_fitting":
            return lora_not_fitting(refusal.message)
        case "lora_name_taken":
            return lora_name_taken(refusal.given)
        case "lora_file_unusable":
            return lora_file_unusable(refusal.message)
        case "training_not_found":
            return training_not_found("")
        case "training_not_in_state":
            return training_not_in_state(refusal.message)
        case "webhook_not_found":
            return Trouble("There is no such webhook.", can_retry=False)
        case "idempotency_conflict" | "malformed_request" | "internal":
            return unexpected(refusal.reference or "")
        case _:
            return unexpected(refusal.reference or "")


def job_trouble(code_name: str, reference: str, loras: Sequence[str] = ()) -> Trouble:
    """What the person reads when a job failed; `loras` are the names of those that it was to paint with."""
    match code_name:
        case "lora_unusable":
            return lora_unusable(loras, reference)
        case "invalid_request":
            return Trouble(
                "The model does not take these settings.", "Change the size or the steps and try again.", reference
            )
        case "out_of_memory":
            return Trouble(
                "The GPU ran out of memory with these settings.", "Ask for fewer or smaller pictures.", reference
            )
        case "model_failed":
            return Trouble(
                "The model failed while it was painting.", "Try again, perhaps with another seed.", reference
            )
        case "storage_failed":
            return Trouble("The picture was painted but could not be stored.", "Try again.", reference)
        case "expired":
            return Trouble(
                "It waited too long for a GPU and was given up.", "Try again when Easel is less busy.", reference
            )
        case "lost":
            return Trouble("The model never answered.", "Try again.", reference)
        case "moderated":
            return moderated(reference)
        case "unchecked":
            return unchecked(reference)
        case "start_failed":
            return Trouble("The model could not be asked to paint.", "Try again in a few minutes.", reference)
        case _:
            return unexpected(reference)


def _message(refusal: ApiRefusal, otherwise: str) -> str:
    text = clean(refusal.message)
    return escape(shorten(text, SENTENCE_CHARS)) if text else otherwise
