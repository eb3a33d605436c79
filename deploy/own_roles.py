"""What a customer's own role needs, so that a workspace's members can act under it: whom it trusts, what it may do."""

from __future__ import annotations

import json
import re
from argparse import SUPPRESS, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from backend_lambda.contract.actions import ROLE_ACTIONS, resources

ROLE_PATH = "/easel/"
"""The worker may assume roles below this path and the stack's own, and no others."""
SESSION_TAGS = ("workspace", "channel", "member")
"""The session tags that the worker sets."""
MAX_TRUST_POLICY_CHARS = 2_048
"""What a role's trust policy may have, white space not counted; it can be raised;
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

_WORKSPACE = re.compile(r"T[A-Z0-9]{1,30}")
_MODEL = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_URL = re.compile(r"https://(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<stage>[^/]+)")


class NoSuchPolicy(ValueError):
    """What was asked for can't be written as a policy; the message is one sentence."""


def trust_policy(worker_role_arn: str, workspaces: Sequence[str]) -> dict[str, Any]:
    """Lets the stack's worker assume a role for members of these workspaces, and nobody else for anyone else.

    Raises `NoSuchPolicy`.
    """
    for workspace in workspaces:
        if not _WORKSPACE.fullmatch(workspace):
            raise NoSuchPolicy(f"{workspace!r} is not the id of a workspace, such as T0123ABCD.")
    if not workspaces:
        raise NoSuchPolicy("A trust policy names at least one workspace.")
    named = sorted(set(workspaces))
    # Of several workspaces each session is of one: IAM puts in what the request's own tag says.
    one = named[0] if len(named) == 1 else "${aws:RequestTag/workspace}"
    of_them: str | list[str] = named[0] if len(named) == 1 else named
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            _trusts(
                worker_role_arn,
                "AsAMemberOfOneWorkspace",
                "sts:AssumeRole",
                {
                    "StringEquals": {"sts:ExternalId": one, "aws:RequestTag/workspace": of_them},
                    "StringLike": {"sts:RoleSessionName": f"{one}.*", "sts:SourceIdentity": f"{one}.*"},
                },
            ),
            _trusts(
                worker_role_arn,
                "TaggedWithIt",
                "sts:TagSession",
                {
                    "StringEquals": {"aws:RequestTag/workspace": of_them},
                    "ForAllValues:StringEquals": {"aws:TagKeys": list(SESSION_TAGS)},
                },
            ),
            _trusts(
                worker_role_arn,
                "InTheMembersName",
                "sts:SetSourceIdentity",
                {"StringLike": {"sts:SourceIdentity": [f"{workspace}.*" for workspace in named]}},
            ),
        ],
    }
    if len("".join(json.dumps(policy).split())) > MAX_TRUST_POLICY_CHARS:
        raise NoSuchPolicy(f"{len(named)} workspaces don't fit into one trust policy: make several roles.")
    return policy


def role_policy(api_arn: str, role: str, models: Sequence[str] = ()) -> dict[str, Any]:
    """What the stack's own role of this name may do, for these endpoints only or for any. Raises `NoSuchPolicy`.

    `api_arn`: `arn:aws:execute-api:<region>:<account>:<api>/<stage>`.
    """
    if role not in ROLE_ACTIONS:
        raise NoSuchPolicy(f"There is no role {role!r}; there are {', '.join(ROLE_ACTIONS)}.")
    for model in models:
        if not _MODEL.fullmatch(model):
            raise NoSuchPolicy(f"{model!r} is not the name of an endpoint.")
    statements = [
        {
            # A statement id has letters and digits only.
            "Sid": "".join(word.capitalize() for word in action.value.split("-")),
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": [f"{api_arn}/{route}" for route in resources(action, tuple(models))],
        }
        for action in ROLE_ACTIONS[role]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def api_arn(outputs: Mapping[str, str]) -> str:
    """The deployed API's stage as IAM names it, from the stack's outputs. Raises `NoSuchPolicy`."""
    url = _URL.fullmatch(outputs["ApiUrl"])
    if url is None:
        raise NoSuchPolicy(f"{outputs['ApiUrl']} is not the address of an API.")
    _, partition, _, _, account, _ = outputs["WorkerRoleArn"].split(":", 5)
    return f"arn:{partition}:execute-api:{url['region']}:{account}:{url['api']}/{url['stage']}"


def add_verbs(verbs: Any) -> None:
    """`trust-policy` and `role-policy`, on argparse's subparsers."""
    trust = verbs.add_parser("trust-policy", help="print whom a role of your own has to trust (docs/own-roles.md)")
    trust.add_argument("--workspace", action="append", required=True, help="such as T0123ABCD; may be repeated")
    permissions = verbs.add_parser("role-policy", help="print what a role of your own has to allow (docs/own-roles.md)")
    permissions.add_argument("--role", choices=list(ROLE_ACTIONS), required=True, help="as much as this one may do")
    permissions.add_argument("--models", default="", help="endpoints that may be asked, a,b,c; any when left out")
    for verb in (trust, permissions):
        verb.add_argument("--stack", default=SUPPRESS, help=SUPPRESS)


def print_policy(outputs: Mapping[str, str], arguments: Namespace) -> None:
    """What those verbs print: the policy that was asked for. Raises `NoSuchPolicy`."""
    if arguments.verb == "trust-policy":
        policy = trust_policy(outputs["WorkerRoleArn"], arguments.workspace)
    else:
        models = [model for model in arguments.models.split(",") if model]
        policy = role_policy(api_arn(outputs), arguments.role, models)
    print(json.dumps(policy, indent=2))


def _trusts(principal: str, sid: str, action: str, condition: dict[str, Any]) -> dict[str, Any]:
    # A statement for each action: each has condition keys of its own, and a condition on another key refuses it.
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": action,
        "Condition": condition,
    }
