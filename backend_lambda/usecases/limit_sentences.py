"""What a refusal by a limit says: whose limit, how much of it is left, when there is more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backend_lambda.contract.access import Allowance
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usage import end_of_day
from backend_lambda.usecases.applicable_limits import AllowedModels, CountedLimit, LimitName

_WHOSE = {
    SubjectKind.ORG: "This organization",
    SubjectKind.WORKSPACE: "This workspace",
    SubjectKind.CHANNEL: "This channel",
    SubjectKind.USERGROUP: "Your user group",
    SubjectKind.MEMBER: "Your own limit",
}
_HERE = {SubjectKind.CHANNEL: " in this channel", SubjectKind.USERGROUP: " as one of your user group"}
_NOTHING = {
    LimitName.IMAGES_PER_DAY: "0 pictures a day",
    LimitName.GPU_SECONDS_PER_DAY: "0 GPU seconds a day",
    LimitName.JOBS_AT_ONCE: "0 jobs at once",
}
_NAMED_MODELS = 3


def allows_at_most(by: SubjectKind) -> str:
    """The beginning of a sentence about a ceiling."""
    return f"{_WHOSE[by]} allows at most"


def models_sentence(models: AllowedModels) -> str:
    """Which models may be asked (the first of them), and who says so."""
    whose = " and ".join(dict.fromkeys(_in_sentence(kind) for kind in models.by))
    if not models.names:
        return f"No model is allowed here: the lists of {whose} have none in common."
    names = ", ".join(models.names[:_NAMED_MODELS])
    if len(models.names) > _NAMED_MODELS:
        names += f" and {len(models.names) - _NAMED_MODELS} more"
    verb = "allows" if len(set(models.by)) == 1 else "together allow"
    return f"{whose[:1].upper()}{whose[1:]} {verb} only {'this model' if len(models.names) == 1 else 'these'}: {names}."


def allowance(limit: CountedLimit, used: int, now: datetime) -> Allowance:
    """The limit as it stands; `used` in the unit of what is counted."""
    return Allowance(
        name=limit.name.value,
        kind=limit.kind,
        id=limit.id,
        each_member=limit.each_member,
        used=used / limit.name.unit if limit.name.unit > 1 else used,
        most=limit.most,
        resets_at=end_of_day(now) if limit.name.is_daily else None,
    )


def limit_sentence(limit: CountedLimit, used: int, asked: int) -> str:
    """Why the limit refuses; `used` and `asked` in the unit of what is counted."""
    is_own = limit.each_member or limit.kind is SubjectKind.MEMBER
    here = _HERE.get(limit.kind, "") if limit.each_member else ""
    unit = limit.name.unit
    if limit.most == 0:
        whose = f"Your limit{here}" if is_own else f"{_WHOSE[limit.kind]}'s limit"
        return f"{whose} is {_NOTHING[limit.name]}."
    has = "You have" if is_own else f"{_WHOSE[limit.kind]} has"
    left = max(limit.most * unit - used, 0) // unit
    match limit.name:
        case LimitName.IMAGES_PER_DAY:
            of, wanted = _number(limit.most, "picture"), f"you asked for {asked}"
        case LimitName.GPU_SECONDS_PER_DAY:
            of, wanted = _number(limit.most, "GPU second"), f"this needs about {-(-asked // unit)}"
        case LimitName.JOBS_AT_ONCE:
            jobs = _number(limit.most, "job")
            return f"{has} {used} of at most {jobs} at once under way{here}. Try again when one has ended."
    return f"{has} {left} of {of} left today{here}; {wanted}. Resets at 00:00 UTC."


def _in_sentence(kind: SubjectKind) -> str:
    whose = _WHOSE[kind]
    return whose[:1].lower() + whose[1:]


def _number(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def hardest(reached: Sequence[tuple[CountedLimit, int]]) -> tuple[CountedLimit, int]:
    """Of several limits that refuse, the one to name: one that lasts till tomorrow before one that does not, and then
    the most specific.
    """
    return max(reached, key=lambda found: (found[0].name.is_daily, found[0].kind.specificity))
