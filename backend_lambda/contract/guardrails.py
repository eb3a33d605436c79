"""From a guardrail to the session policy that IAM evaluates. Plain Python."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from backend_lambda.contract.actions import ROUTES, Action, resources


def session_policy(actions: Sequence[Action], models: Sequence[str], api_arn: str) -> str:
    """Allows the routes of these actions, for these endpoints only or for any, and nothing else, as compact JSON.

    `api_arn`: `arn:aws:execute-api:<region>:<account>:<api>/<stage>`. A session policy only takes away from what its
    role allows, and that names the API in full: here its id is enough. STS counts every character.
    """
    partition, api = api_arn.split(":")[1], api_arn.rpartition(":")[2]
    allowed = [
        route
        for action in sorted(set(actions), key=list(Action).index)
        for route in resources(action, tuple(dict.fromkeys(models)))
    ]
    named = [f"arn:{partition}:execute-api:*:*:{api}/{route}" for route in _joined(allowed)]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": named}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def _joined(allowed: Sequence[str]) -> Iterator[str]:
    """The same routes in fewer patterns: `GET/jobs*` for `GET/jobs` and `GET/jobs/*`, where no route that begins so is
    another action's.
    """
    others = {route.replace("{model}", "*") for some in ROUTES.values() for route in some} - set(allowed)
    left = list(dict.fromkeys(allowed))
    while left:
        route = left.pop(0)
        alike = [one for one in left if one.startswith(route)]
        if alike and not any(one.startswith(route) for one in others):
            left = [one for one in left if one not in alike]
            yield f"{route}*"
        else:
            yield route
