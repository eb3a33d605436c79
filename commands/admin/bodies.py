"""What the API is asked for. A grant's parts are set one by one: setting limits keeps the role, setting the role keeps
the guardrail. What is kept is kept by the backend, as it stands when the change is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commands.admin.amounts import limits_named
from commands.admin.subcommands import ACTIONS, EXTERNAL_ID, LIMITS_OFF, MODELS, OFF, REASON, ROLE, UNTIL
from commands.grammar.choices import split_names
from commands.grammar.options import Value
from commands.grammar.until import fixed_end

Json = dict[str, Any]
KEEPS = "keeps"


def grant_body(values: Mapping[str, Value]) -> Json:
    """`PutGrant`: the role with its end and reason as said. The guardrail is kept, and limits that are not named."""
    body: Json = {"role": values[ROLE.name], **_said(values)}
    if EXTERNAL_ID.name in values:
        body["external_id"] = values[EXTERNAL_ID.name]
    limits = limits_named(values)
    if limits:
        return {**body, "limits": limits, KEEPS: ["guardrail"]}
    return {**body, KEEPS: ["limits", "guardrail"]}


def limit_body(values: Mapping[str, Value]) -> Json:
    """`PutGrant` with other limits, or without any."""
    limits = {} if LIMITS_OFF.name in values else limits_named(values)
    return {**({"limits": limits} if limits else {}), KEEPS: ["role", "guardrail"]}


def guardrail_body(values: Mapping[str, Value]) -> Json:
    """`PutGrant` with another guardrail, or without one."""
    body: Json = {KEEPS: ["role", "limits"]}
    if values[ACTIONS.name] != OFF:
        actions, models = split_names(values[ACTIONS.name]), split_names(values.get(MODELS.name))
        body["guardrail"] = {"actions": list(actions), **({"models": list(models)} if models else {})}
    return body


def deny_body(values: Mapping[str, Value]) -> Json:
    """`PutDeny`, but for whom it reaches."""
    return _said(values)


def _said(values: Mapping[str, Value]) -> Json:
    """End and reason, where they were said."""
    until, reason = values.get(UNTIL.name), values.get(REASON.name)
    body: Json = {}
    if until is not None:
        body["ends_at"] = fixed_end(until).isoformat()
    if reason:
        body["reason"] = reason
    return body
