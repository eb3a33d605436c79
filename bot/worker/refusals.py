"""What the person reads when the backend refuses."""

from __future__ import annotations

from bot.ports.backend import ApiRefused
from bot.worker.authorize import Authorized
from commands.sentences import ApiRefusal, Trouble, api_trouble
from commands.sentences_access import role_lacks
from commands.sentences_loras import not_yours


def refusal_trouble(
    refused: ApiRefused, model: str | None, reference: str, authorized: Authorized | None = None
) -> Trouble:
    """The sentence for a refusal; `model` is the one that was asked for, `authorized` who asked."""
    if refused.body.get("code") == "not_allowed" and refused.body.get("field"):
        # The backend's own word: IAM's refusal is about no field.
        return not_yours(str(refused.body.get("message") or ""))
    if refused.body.get("code") == "not_allowed" and authorized is not None:
        return role_lacks(authorized.admins, has_guardrail=bool(authorized.grant.policy))
    return api_trouble(refusal_of(refused, reference), model)


def refusal_of(refused: ApiRefused, reference: str) -> ApiRefusal:
    """The refusal's facts; `reference` where the backend gave none."""
    body = refused.body
    return ApiRefusal(
        code=str(body.get("code")),
        message=str(body.get("message") or ""),
        field=body.get("field"),
        given=body.get("given"),
        allowed=body.get("allowed"),
        available=tuple(body.get("available") or ()),
        reference=body.get("reference") or reference,
        limit=body.get("limit"),
    )
