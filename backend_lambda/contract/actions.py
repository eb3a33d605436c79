"""What can be done through the API, in words that people use, and the routes behind each. Plain Python.

The roles of `deploy/template.yaml` allow exactly the routes of their actions (a test compares them), a channel's
guardrail becomes a session policy of them, and `/imagine-admin access why` explains them.
"""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """One thing that someone may or may not do."""

    SEE = "see"
    PAINT = "paint"
    DELETE = "delete"
    TRAIN = "train"
    APPROVE = "approve"
    SELF_APPROVE = "self-approve"
    SCALE = "scale"
    HOOK = "hook"
    GRANT = "grant"


ROUTES: dict[Action, tuple[str, ...]] = {
    Action.SEE: (
        "GET/endpoints",
        "GET/jobs",
        "GET/jobs/*",
        "GET/limits",
        "GET/loras",
        "GET/loras/*",
        "GET/trainings",
        "GET/trainings/*",
        "GET/training-policy",
    ),
    Action.PAINT: ("POST/endpoints/{model}/jobs",),
    Action.DELETE: ("DELETE/jobs/*",),
    Action.TRAIN: (
        "POST/trainings",
        "DELETE/trainings/*",
        # Not POST/trainings/*: IAM's asterisk would take in the approval.
        "POST/trainings/*/pictures",
        "POST/trainings/*/pictures/*/check",
        "POST/trainings/*/submission",
        "POST/loras",
        "POST/loras/*/check",
        "PATCH/loras/*",
        "DELETE/loras/*",
    ),
    Action.APPROVE: ("POST/trainings/*/approval",),
    Action.SELF_APPROVE: ("POST/trainings/*/self-approval",),
    Action.SCALE: ("PUT/endpoints/{model}/capacity",),
    Action.HOOK: ("GET/webhooks", "POST/webhooks", "DELETE/webhooks/*"),
    Action.GRANT: (
        "GET/grants",
        "PUT/grants/*",
        "DELETE/grants/*",
        "PUT/denies/*",
        "DELETE/denies/*",
        "GET/audit",
        "GET/words",
        "PUT/words",
        "PUT/training-policy",
    ),
}
"""Method and path as IAM sees them behind the API's stage; `{model}` is an endpoint's name, or `*` for any."""

ROLE_ACTIONS: dict[str, tuple[Action, ...]] = {
    "artist": (Action.SEE, Action.PAINT, Action.DELETE),
    "trainer": (Action.SEE, Action.PAINT, Action.DELETE, Action.TRAIN),
    "operator": (Action.SEE, Action.PAINT, Action.DELETE, Action.SCALE),
    "admin": tuple(Action),
}
"""What the stack's own roles may do. A role of the customer's own may do whatever its policies say."""


def resources(action: Action, models: tuple[str, ...] = ()) -> list[str]:
    """The routes of an action for these endpoints only, or for any."""
    return [
        route.replace("{model}", model)
        for route in ROUTES[action]
        for model in (models if models and "{model}" in route else ("*",))
    ]
