"""The roles that the template ships, by the names that people use."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from backend_lambda.contract.actions import ROLE_ACTIONS

ADMIN = "admin"


def stack_roles(mapped_roles: Collection[str], account: str, partition: str) -> Mapping[str, str]:
    """ARNs by name (artist, …): the roles among `mapped_roles` that end in a dash and that name. Names without a path
    are roles of `account`.
    """
    return {
        name: role if role.startswith("arn:") else f"arn:{partition}:iam::{account}:role/{role}"
        for name in ROLE_ACTIONS
        for role in mapped_roles
        if role.endswith(f"-{name}")
    }
