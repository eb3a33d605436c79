"""Why a member may or may not: the same decision as when they act, and IAM's own answers for their role."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backend_lambda.contract.access import Effect, standing
from backend_lambda.contract.actions import Action, resources
from backend_lambda.contract.decision import Who, decide
from bot.invocation import Invocation
from bot.ports.access import Answer, SimulationUnavailable, Tagged
from bot.ports.backend import Caller
from bot.worker.authorize import AccessRefused, session_policy
from bot.worker.deps import WorkerDeps
from commands.views.access_why import Explanation, Verdict

ANY = "any"
"""Stands for an id in a path: a policy that speaks of single ids is the customer's own."""


def explain(deps: WorkerDeps, invocation: Invocation, member: str, channel: str) -> Explanation:
    """What holds for a member of the workspace in a channel now."""
    authority, team, org = deps.authority, invocation.team, invocation.enterprise
    now = authority.now()
    entries = standing(authority.grants.entries(team, org), now)
    try:
        groups, are_groups_known = authority.usergroups_of(deps.slack, team, member, entries), True
    except AccessRefused:
        groups, are_groups_known = frozenset(), False
    who = Who(workspace=team, member=member, channel=channel, org=org, usergroups=groups)
    decision = decide(entries, who, now)
    meant = [entry for entry in entries if who.is_meant_by(entry)]
    guardrail = decision.guardrail.guardrail if decision.guardrail is not None else None
    model = guardrail.models[0] if guardrail is not None and guardrail.models else deps.default_endpoint
    verdicts: Sequence[tuple[Action, Verdict]] = ()
    if decision.grant is not None:
        session = Tagged(str(decision.grant.role_arn), Caller(team, channel, member, decision.usergroup))
        verdicts = _verdicts(deps, session, session_policy(decision, authority.api_arn), model)
    return Explanation(
        member=member,
        channel=channel,
        grant=decision.grant,
        denies=[entry for entry in meant if entry.effect is Effect.DENY],
        guardrail=decision.guardrail,
        verdicts=verdicts,
        are_groups_known=are_groups_known,
        model=model,
    )


def _verdicts(deps: WorkerDeps, session: Tagged, policy: str, model: str) -> list[tuple[Action, Verdict]]:
    arns = {action: _arns(deps.authority.api_arn, action, model) for action in Action}
    every = [arn for action in Action for arn in arns[action]]
    by_role = _asked(lambda: deps.simulator.ask_role(session, every))
    by_policy: Mapping[str, Answer] = dict.fromkeys(every, Answer.ALLOWED)
    if policy:
        by_policy = _asked(lambda: deps.simulator.ask_policy(policy, every))
    return [(action, _verdict(arns[action], by_role, by_policy)) for action in Action]


def _asked(ask: Callable[[], Mapping[str, Answer]]) -> Mapping[str, Answer]:
    """IAM's answers; none where it can't be asked."""
    try:
        return ask()
    except SimulationUnavailable:
        return {}


def _verdict(arns: Sequence[str], by_role: Mapping[str, Answer], by_policy: Mapping[str, Answer]) -> Verdict:
    """An action is allowed where all its routes are."""
    role = {by_role.get(arn) for arn in arns}
    policy = {by_policy.get(arn) for arn in arns}
    if Answer.EXPLICIT_DENY in role:
        return Verdict.ROLE_DENIES
    if Answer.IMPLICIT_DENY in role:
        return Verdict.ROLE_SILENT
    if policy & {Answer.IMPLICIT_DENY, Answer.EXPLICIT_DENY}:
        return Verdict.GUARDRAIL_SILENT
    return Verdict.UNKNOWN if None in role | policy else Verdict.ALLOWED


def _arns(api_arn: str, action: Action, model: str) -> list[str]:
    return [f"{api_arn}/{route.replace('*', ANY)}" for route in resources(action, (model,))]
