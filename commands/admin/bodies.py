"""What the API is asked for, from what an admin said and what stands for the subject. A grant's parts are set one by
one, but kept as one: setting limits leaves the role, setting the role leaves the guardrail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from commands.admin.amounts import limits_named
from commands.admin.subcommands import ACTIONS, EXTERNAL_ID, LIMITS_OFF, MODELS, OFF, REASON, ROLE, UNTIL
from commands.grammar.choices import split_names
from commands.grammar.options import Value
from commands.grammar.until import fixed_end

if TYPE_CHECKING:
    from backend_lambda.contract.access import Entry

Json = dict[str, Any]


def grant_body(values: Mapping[str, Value], standing: Entry | None) -> Json:
    """`PutGrant`: the role with its end and reason as said; limits that are not named, and the guardrail, stay.

    `standing` is the grant that counts now; None where there is none.
    """
    kept = standing_body(standing)
    limits = limits_named(values) or kept.get("limits")
    body: Json = {"role": values[ROLE.name], **_said(values)}
    if EXTERNAL_ID.name in values:
        body["external_id"] = values[EXTERNAL_ID.name]
    return body | ({"limits": limits} if limits else {}) | _only(kept, "guardrail")


def limit_body(values: Mapping[str, Value], standing: Entry | None) -> Json | None:
    """`PutGrant` with other limits; None where nothing is left of the grant."""
    kept = standing_body(standing)
    kept.pop("limits", None)
    limits = {} if LIMITS_OFF.name in values else limits_named(values)
    return _unless_empty({**kept, **({"limits": limits} if limits else {})})


def guardrail_body(values: Mapping[str, Value], standing: Entry | None) -> Json | None:
    """`PutGrant` with another guardrail, or without one; None where nothing is left of the grant."""
    kept = standing_body(standing)
    kept.pop("guardrail", None)
    if values[ACTIONS.name] != OFF:
        actions, models = split_names(values[ACTIONS.name]), split_names(values.get(MODELS.name))
        kept["guardrail"] = {"actions": list(actions), **({"models": list(models)} if models else {})}
    return _unless_empty(kept)


def deny_body(values: Mapping[str, Value]) -> Json:
    """`PutDeny`, but for whom it reaches."""
    return _said(values)


def standing_body(standing: Entry | None) -> Json:
    """`PutGrant` that would leave a grant as it is; empty where there is none."""
    if standing is None:
        return {}
    role = standing.role or standing.role_arn
    limits = standing.limits.model_dump(mode="json", exclude_defaults=True)
    guardrail = standing.guardrail.model_dump(mode="json", exclude_defaults=True) if standing.guardrail else None
    body: Json = {
        "role": role,
        "external_id": standing.external_id if role else None,
        "limits": limits or None,
        "guardrail": guardrail,
        "ends_at": standing.ends_at.isoformat() if standing.ends_at is not None else None,
        "reason": standing.reason or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def _said(values: Mapping[str, Value]) -> Json:
    """End and reason, where they were said."""
    until, reason = values.get(UNTIL.name), values.get(REASON.name)
    body: Json = {}
    if until is not None:
        body["ends_at"] = fixed_end(until).isoformat()
    if reason:
        body["reason"] = reason
    return body


def _unless_empty(body: Json) -> Json | None:
    return body if {"role", "limits", "guardrail"} & set(body) else None


def _only(body: Json, name: str) -> Json:
    return {name: body[name]} if name in body else {}
