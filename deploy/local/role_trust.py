"""Roles' trust policies as AWS evaluates them, where MiniStack 1.5.33 leaves something out.

MiniStack compares a policy variable (`${aws:RequestTag/workspace}`) as it is written, knows no `sts:SourceIdentity`,
and asks no trust policy for `sts:SetSourceIdentity`. The first two refuse what AWS allows, the third allows what AWS
refuses.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_source_identity: ContextVar[str | None] = ContextVar("source_identity", default=None)
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")


def evaluate_trust_in_full() -> None:
    """Mend it in this process. Names that begin with `_` are MiniStack's own, as of the version that is pinned."""
    from ministack.core import iam_evaluator
    from ministack.services import sts

    conditions_met, evaluate_trust = iam_evaluator._conditions_met, iam_evaluator.evaluate_trust_policy
    session_tags = sts._session_tags

    def with_variables(conditions: dict[str, Any], ctx: Any) -> bool:
        try:
            filled = fill_in(conditions, lambda key: iam_evaluator._resolve_condition_key(key, ctx))
        except KeyError:
            return False  # AWS: a statement whose variable has no value matches nothing
        return bool(conditions_met(filled, ctx))

    def with_source_identity(trust: Any, caller_arn: str, ctx: Any = None) -> bool:
        given = _source_identity.get()
        if ctx is None or given is None or ctx.action != "sts:AssumeRole":
            return bool(evaluate_trust(trust, caller_arn, ctx))
        keys = {**ctx.service_context, "sts:sourceidentity": given}
        asked = [
            dataclasses.replace(ctx, action=action, service_context=keys)
            for action in ("sts:AssumeRole", "sts:SetSourceIdentity")
        ]
        return all(evaluate_trust(trust, caller_arn, one) for one in asked)

    def noting_source_identity(params: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        # STS reads a request's tags before it looks at the trust policy, in the same context.
        given = params.get("SourceIdentity")
        _source_identity.set(str(given[0] if isinstance(given, list) else given) if given else None)
        return session_tags(params, *arguments, **options)

    iam_evaluator._conditions_met = with_variables
    iam_evaluator.evaluate_trust_policy = with_source_identity
    sts._session_tags = noting_source_identity


def fill_in(conditions: Mapping[str, Any], value_of: Any) -> dict[str, Any]:
    """Conditions with `${key}` replaced by what `value_of(key)` gives. Raises KeyError where it gives no single value.

    A value with a wildcard counts as none: it would match more than itself.
    """

    def one(found: re.Match[str]) -> str:
        value = value_of(found[1])
        if not isinstance(value, str) or not value or set(value) & set("*?$"):
            raise KeyError(found[1])
        return value

    def every(expected: Any) -> Any:
        if isinstance(expected, list):
            return [every(item) for item in expected]
        return _VARIABLE.sub(one, expected) if isinstance(expected, str) else expected

    return {
        operator: {key: every(expected) for key, expected in keys.items()} if isinstance(keys, dict) else keys
        for operator, keys in conditions.items()
    }
