"""IAM's policy simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.aws.clients import AWS_ERRORS, AwsClients, error_code
from bot.aws.sts_sessions import encode_id
from bot.logs import log
from bot.ports.access import Answer, SimulationUnavailable, Tagged

ACTION = "execute-api:Invoke"


class IamSimulator:
    """Implements `bot.ports.access.PolicySimulator`.

    IAM answers for all resources of a call in `ResourceSpecificResults`; whoever answers for the first one only (the
    emulator does) is asked again for each of the others.
    """

    def __init__(self, clients: AwsClients) -> None:
        self._iam = clients.get("iam")

    def ask_role(self, session: Tagged, resources: Sequence[str]) -> Mapping[str, Answer]:
        """Whether the role's own policies allow each of these ARNs, in a session with the caller's tags."""
        caller = session.caller
        tags = {"workspace": caller.team, "channel": caller.channel, "member": caller.member}
        context = [
            {
                "ContextKeyName": f"aws:PrincipalTag/{name}",
                "ContextKeyValues": [encode_id(value)],
                "ContextKeyType": "string",
            }
            for name, value in tags.items()
        ]
        return self._ask_for_each(
            "simulate_principal_policy", resources, PolicySourceArn=session.role_arn, ContextEntries=context
        )

    def ask_policy(self, policy: str, resources: Sequence[str]) -> Mapping[str, Answer]:
        """Whether this policy does, by itself."""
        return self._ask_for_each("simulate_custom_policy", resources, PolicyInputList=[policy])

    def _ask_for_each(self, operation: str, resources: Sequence[str], **facts: Any) -> Mapping[str, Answer]:
        found: dict[str, Answer] = {}
        waiting = list(resources)
        while waiting:
            answers = self._ask(operation, waiting, facts)
            found |= {resource: answers[resource] for resource in waiting if resource in answers}
            left = [resource for resource in waiting if resource not in found]
            if len(left) == len(waiting):
                raise SimulationUnavailable("IAM answered for none of the resources")
            waiting = left
        return found

    def _ask(self, operation: str, resources: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        page: dict[str, Any] = {}
        try:
            while True:
                call = getattr(self._iam, operation)
                answer = call(ActionNames=[ACTION], ResourceArns=list(resources), **facts, **page)
                for result in answer["EvaluationResults"]:
                    answers |= _answers(result)
                if not answer.get("IsTruncated"):
                    return answers
                page = {"Marker": answer["Marker"]}
        except AWS_ERRORS as error:
            log.info("not simulated", extra={"operation": operation, "code": error_code(error)})
            raise SimulationUnavailable(error_code(error)) from error


def _answers(result: Mapping[str, Any]) -> dict[str, Answer]:
    single = {str(result.get("EvalResourceName")): Answer(result["EvalDecision"])}
    each = {
        str(one["EvalResourceName"]): Answer(one["EvalResourceDecision"])
        for one in result.get("ResourceSpecificResults") or []
    }
    return {**single, **each}
