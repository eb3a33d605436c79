"""IAM's policy simulator as AWS has it, where MiniStack 1.5.33 leaves something out.

MiniStack asks for the right to simulate a principal without saying which one, so that only a policy for all of them
would do; AWS asks for the principal's ARN. And it finds no role that has a path.
"""

from __future__ import annotations

from typing import Any


def simulate_in_full() -> None:
    """Mend it in this process. Names that begin with `_` are MiniStack's own, as of the version that is pinned."""
    from ministack.core import iam_actions, iam_evaluator

    resource_of, policies_of = iam_actions.extract_resource_arn, iam_evaluator._gather_role_policies

    def with_principal(service: str, *arguments: Any, **options: Any) -> str:
        if service == "iam":
            parameters = arguments[4] if len(arguments) > 4 else options["query_params"]
            principal = iam_actions._query_param(parameters, "PolicySourceArn")
            if principal:
                return str(principal)
        return str(resource_of(service, *arguments, **options))

    def by_last_name(role_name: str, account_id: str) -> Any:
        return policies_of(role_name.rpartition("/")[2], account_id)

    iam_actions.extract_resource_arn = with_principal
    iam_evaluator._gather_role_policies = by_last_name
