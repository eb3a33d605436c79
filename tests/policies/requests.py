"""The API's requests as IAM sees them (`GET/jobs/job-1`), and who is meant to make which."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from backend_lambda.contract.actions import ROLE_ACTIONS, ROUTES, Action, resources
from tests.policies.rendered import template

EXAMPLES = {
    "endpoint": "tiny",
    "model": "tiny",
    "job_id": "job-" + "a" * 26,
    "kind": "member",
    "id": "U0NOBODY",
}
"""Values for path parameters; any other is `x`."""


@dataclass(frozen=True)
class Request:
    """`path` begins with a slash and has no parameters left."""

    method: str
    path: str

    @property
    def route(self) -> str:
        """What follows the stage in the request's ARN."""
        return f"{self.method}{self.path}"

    def matches(self, pattern: str) -> bool:
        """As IAM matches: a star is anything, slashes too."""
        return fnmatch.fnmatchcase(self.route, pattern)


def example(method: str, path: str) -> Request:
    """A request of a route of the template: `/jobs/{job_id}`."""
    return Request(method, re.sub(r"\{(\w+)\+?\}", lambda found: EXAMPLES.get(found[1], "x"), path))


def example_of(pattern: str) -> Request:
    """A request that a pattern of `ROUTES` stands for."""
    method, _, path = pattern.partition("/")
    return Request(method, "/" + path.replace("{model}", EXAMPLES["model"]).replace("*", "x"))


def signed_requests() -> list[Request]:
    """One for each route of the template that IAM decides on."""
    return [example(method, path) for method, path in template().routes(is_open=False)]


def open_requests() -> list[Request]:
    """One for each route that is open to anyone."""
    return [example(method, path) for method, path in template().routes(is_open=True)]


def known_requests() -> list[Request]:
    """Those of the template and those that roles are meant for, each once."""
    meant_for_some = (example_of(route) for routes in ROUTES.values() for route in routes)
    return list(dict.fromkeys([*signed_requests(), *meant_for_some]))


def all_requests() -> list[Request]:
    """Every method on the paths of known requests."""
    paths = dict.fromkeys(request.path for request in known_requests())
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    return [Request(method, path) for path in paths for method in methods]


def meant(actions: tuple[Action, ...], request: Request, models: tuple[str, ...] = ()) -> bool:
    """Whether one of these actions is this request, for these endpoints or for any."""
    return any(request.matches(pattern) for action in actions for pattern in resources(action, models))


def meant_for(role: str, request: Request) -> bool:
    """Whether the stack's own role of this name is meant to make it."""
    return meant(ROLE_ACTIONS[role], request)
