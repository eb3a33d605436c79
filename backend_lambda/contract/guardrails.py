"""From a guardrail to the session policy that IAM evaluates. Plain Python."""

from __future__ import annotations

import json
from collections.abc import Sequence

from backend_lambda.contract.actions import Action, resources


def session_policy(actions: Sequence[Action], models: Sequence[str], api_arn: str) -> str:
    """Allows the routes of these actions, for these endpoints only or for any, and nothing else, as compact JSON.

    `api_arn`: `arn:aws:execute-api:<region>:<account>:<api>/<stage>`.
    """
    allowed = [
        f"{api_arn}/{route}"
        for action in sorted(set(actions), key=list(Action).index)
        for route in resources(action, tuple(dict.fromkeys(models)))
    ]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": allowed}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
