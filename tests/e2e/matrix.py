"""Who is meant to call which route of the deployed API: roles × routes, read from the contract and from the template.

A route that the template gains is in it, with no line here. `PREPARED` says what a call needs to succeed, where `{}` in
its body doesn't do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from tests.policies.rendered import template
from tests.policies.requests import Request, example, meant

ROLE_OUTPUTS = {role: f"{role.capitalize()}RoleArn" for role in ROLE_ACTIONS}
"""The stack's output with a role's ARN."""


@dataclass(frozen=True)
class Prepared:
    """What makes a call succeed, and how it is then answered."""

    status: int
    body: dict[str, Any] | None = None


PREPARED: dict[tuple[str, str], Prepared] = {
    ("GET", "/endpoints"): Prepared(200),
    ("POST", "/endpoints/{endpoint}/jobs"): Prepared(202, {"prompt": "a red circle", "steps": 1, "seed": 1}),
    ("GET", "/jobs"): Prepared(200),
    ("GET", "/jobs/{job_id}"): Prepared(200),
    ("DELETE", "/jobs/{job_id}"): Prepared(200),
    ("GET", "/limits"): Prepared(200),
    ("GET", "/grants"): Prepared(200),
    ("PUT", "/grants/{kind}/{id}"): Prepared(200, {"role": "artist"}),
    ("DELETE", "/grants/{kind}/{id}"): Prepared(200),
    ("PUT", "/denies/{kind}/{id}"): Prepared(200, {"reason": "matrix"}),
    ("DELETE", "/denies/{kind}/{id}"): Prepared(200),
    ("GET", "/audit"): Prepared(200),
    ("GET", "/words"): Prepared(200),
    ("PUT", "/words"): Prepared(200, {"words": []}),
    ("GET", "/webhooks"): Prepared(200),
    ("GET", "/loras"): Prepared(200),
    ("GET", "/loras/{name}"): Prepared(404),
    ("GET", "/trainings"): Prepared(200),
    ("POST", "/trainings"): Prepared(
        201, {"name": "matrix", "trigger": "mtrx", "kind": "subject", "what": "mug", "endpoint": "tiny"}
    ),
    ("GET", "/training-policy"): Prepared(200),
    ("PUT", "/training-policy"): Prepared(200, {}),
}


@dataclass(frozen=True)
class Cell:
    """One call of one route. `is_meant`: IAM lets it through, and only then."""

    route: tuple[str, str]
    is_meant: bool
    body: dict[str, Any] | None = None
    status: int | None = None
    """How it is answered when it is let through; None: in any way but 403 and 5xx."""

    def request(self, **values: str) -> Request:
        """With values for path parameters, or examples."""
        method, path = self.route
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        return example(method, path)

    def problem(self, status: int) -> str | None:
        """What is wrong with this answer, if something is."""
        wanted = "403" if not self.is_meant else str(self.status or "let through")
        is_right = (
            status == 403
            if not self.is_meant
            else status == self.status
            if self.status is not None
            else status != 403 and status < 500
        )
        return None if is_right else f"{' '.join(self.route)}: {status}, not {wanted}"


@dataclass(frozen=True)
class Guardrail:
    """A channel's: the session policy is made of it."""

    actions: tuple[Action, ...]
    models: tuple[str, ...] = field(default=())


def cells(role: str, guardrail: Guardrail | None = None) -> Iterator[Cell]:
    """Every route for this role, within a channel's guardrail or without one."""
    for method, path in template().routes(is_open=False):
        request = example(method, path)
        is_meant = meant(ROLE_ACTIONS[role], request)
        if guardrail is not None:
            is_meant = is_meant and meant(guardrail.actions, request, guardrail.models)
        prepared = PREPARED.get((method, path))
        yield Cell(
            (method, path),
            is_meant,
            prepared.body if prepared else ({} if method in ("POST", "PUT") else None),
            prepared.status if prepared else None,
        )
