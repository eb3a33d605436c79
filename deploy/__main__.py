"""`python -m deploy …`: what an operator does beside deploying the template."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from backend_lambda.contract.access import Effect, Entry, Limits
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.refusals import Refusal
from commands.manifest import manifest_text
from deploy.access import Operator, describe
from deploy.cloudformation import stack_outputs
from deploy.endpoints import EndpointFailed, EndpointPlan, create_endpoint
from deploy.models import NotAModel, pipeline_of, publish_model, read_card
from deploy.own_roles import NoSuchPolicy, add_verbs, print_policy
from deploy.slack_credentials import Incomplete, SlackCredentials, store_slack_credentials
from deploy.training import NotTrainable, TrainingPlan, presets_of


def main(session: Any | None = None) -> int:
    """Read the arguments, do it, return an exit status: 0, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument("--stack", default="easel", help="the CloudFormation stack's name")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add_verbs(verbs)
    publish = verbs.add_parser("publish-model", help="upload a diffusers folder with easel.json for endpoints to load")
    publish.add_argument("folder", type=Path)
    endpoint = verbs.add_parser("create-endpoint", help="create a SageMaker endpoint for a published model")
    endpoint.add_argument("name", help="what people call it: --model NAME")
    endpoint.add_argument("--model", type=Path, required=True, help="the folder that was published")
    endpoint.add_argument("--image", required=True, help="the container image's URI in ECR")
    endpoint.add_argument("--instance-type", default="ml.g5.xlarge")
    endpoint.add_argument("--min", type=int, default=0, help="instances when nobody paints")
    endpoint.add_argument("--max", type=int, default=1, help="instances at most")
    _add_training(endpoint)
    verbs.add_parser("slack-credentials", help="store what Slack shows of the app (asked for, not echoed)")
    app = verbs.add_parser("slack-manifest", help="print the manifest to create the Slack app with")
    app.add_argument(
        "--by-hand", action="store_true", help="for one workspace and a pasted bot token, without token rotation"
    )
    grant = verbs.add_parser("grant-workspace", help="let a workspace's members act under a role")
    grant.add_argument("team_id", type=_workspace, help="the workspace, such as T0123ABCD")
    grant.add_argument(
        "--role", "--role-arn", default="artist", help="artist, trainer, operator, admin, or the ARN of your own"
    )
    grant.add_argument(
        "--external-id", help="what your own role's trust policy asks for; the workspace's id if not given"
    )
    admin = verbs.add_parser("grant-admin", help="make a member an admin")
    admin.add_argument("tenant", type=_tenant, help="the workspace, or the organisation for all of its workspaces")
    admin.add_argument("member_id", help="the member, such as U0123ABCD")
    org = verbs.add_parser("grant-org", help="let all members of an organisation's workspaces act under a role")
    org.add_argument("enterprise_id", type=_organisation, help="the organisation, such as E0123ABCD")
    org.add_argument("--role", required=True, help="artist, trainer, operator or admin")
    limit = verbs.add_parser("limit", help="limit a workspace or an IAM principal's tenant, or one member of it")
    limit.add_argument("tenant", type=_limited, help="T0123ABCD, or iam-<account>-<role> as the API's jobs name it")
    limit.add_argument("--member", help="one member of the workspace only; without it the tenant as a whole")
    limit.add_argument("--images", type=int, help="pictures a day (UTC)")
    limit.add_argument("--gpu-seconds", type=int, help="GPU seconds a day (UTC)")
    limit.add_argument("--jobs", type=int, help="jobs at once")
    limit.add_argument("--steps", type=int, help="steps at most")
    revoke = verbs.add_parser("revoke", help="remove a grant or a deny of a workspace or an organisation")
    revoke.add_argument("tenant", type=_any_tenant, help="whose it is, such as T0123ABCD, E0123ABCD or iam-…")
    revoke.add_argument("kind", choices=[kind.value for kind in SubjectKind])
    revoke.add_argument("id", help="the subject, such as U0123ABCD")
    revoke.add_argument("--deny", action="store_true", help="the deny, not the grant")
    deny = verbs.add_parser("deny", help="deny a subject of a workspace or an organisation everything")
    deny.add_argument("tenant", type=_tenant, help="whose it is, such as T0123ABCD or E0123ABCD")
    deny.add_argument("kind", choices=[kind.value for kind in SubjectKind if kind is not SubjectKind.USERGROUP])
    deny.add_argument("id", help="the subject, such as U0123ABCD, or the tenant itself")
    deny.add_argument("--reason", default="", help="what the audit trail says")
    grants = verbs.add_parser("grants", help="list the grants and denies of a tenant")
    grants.add_argument("tenant", type=_any_tenant)
    arguments = parser.parse_args()
    session = session or boto3.Session()
    try:
        outputs = stack_outputs(session, arguments.stack)
        if arguments.verb in {"trust-policy", "role-policy"}:
            print_policy(outputs, arguments)
        elif arguments.verb == "publish-model":
            card = publish_model(session, arguments.folder, outputs["ModelsBucketName"])
            print(f"Published {card.title} as {card.name}.")
        elif arguments.verb == "create-endpoint":
            card = read_card(arguments.model)
            training = None if arguments.no_training else _training_plan(arguments)
            presets = presets_of(card, pipeline_of(arguments.model))
            plan = EndpointPlan(
                name=arguments.name,
                card=card,
                image_uri=arguments.image,
                instance_type=arguments.instance_type,
                min_instances=arguments.min,
                max_instances=arguments.max,
                training=training,
                presets=presets,
            )
            if training is not None and presets is None:
                print("Nothing can be trained on it: neither easel.json nor its family has presets.")
            create_endpoint(session, arguments.stack, outputs, plan, on_status=lambda status: print(status, flush=True))
        elif arguments.verb == "slack-credentials":
            store_slack_credentials(session, outputs["SlackSecretArn"], SlackCredentials.ask(getpass.getpass))
        elif arguments.verb == "slack-manifest":
            print(manifest_text(outputs["SlackRequestUrl"], is_distributed=not arguments.by_hand), end="")
        else:
            _access(Operator.of(session, outputs), arguments)
    except (NotAModel, NotTrainable, NoSuchPolicy, EndpointFailed, ClientError, BotoCoreError, Incomplete) as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 1
    except Refusal as refusal:
        allowed = f" Allowed: {refusal.allowed}." if refusal.allowed else ""
        print(f"Not done: {refusal.message}{allowed}", file=sys.stderr)
        return 1
    return 0


def _add_training(parser: argparse.ArgumentParser) -> None:
    """How LoRAs are trained on the endpoint's model."""
    plan = TrainingPlan()
    training = parser.add_argument_group("training LoRAs on its model")
    training.add_argument("--no-training", action="store_true", help="offer none")
    training.add_argument("--training-instance-type", default=plan.instance_type)
    training.add_argument("--training-on-demand", action="store_true", help="no spot instances")
    training.add_argument(
        "--warm-pool-seconds", type=int, default=0, help="keep an on-demand instance so long for the next training"
    )
    training.add_argument("--training-price", type=float, help="dollars an hour, for estimates")
    training.add_argument("--training-start-seconds", type=float, default=plan.start_seconds)
    training.add_argument(
        "--training-step-seconds", type=float, default=plan.seconds_per_step, help="a step with one picture, measured"
    )


def _training_plan(arguments: argparse.Namespace) -> TrainingPlan:
    return TrainingPlan(
        instance_type=arguments.training_instance_type,
        spot=not arguments.training_on_demand,
        warm_pool_seconds=arguments.warm_pool_seconds,
        price_per_hour=arguments.training_price,
        start_seconds=arguments.training_start_seconds,
        seconds_per_step=arguments.training_step_seconds,
    )


def _access(operator: Operator, arguments: argparse.Namespace) -> None:
    """Who may do what."""
    entries: list[Entry | None]
    match arguments.verb:
        case "grant-workspace":
            entries = [operator.grant_workspace(arguments.team_id, arguments.role, arguments.external_id)]
        case "grant-admin":
            entries = [operator.grant_admin(arguments.tenant, arguments.member_id)]
        case "grant-org":
            entries = [operator.grant_org(arguments.enterprise_id, arguments.role)]
        case "limit":
            kind = SubjectKind.WORKSPACE if arguments.member is None else SubjectKind.MEMBER
            limits = Limits(
                images_per_day=arguments.images,
                gpu_seconds_per_day=arguments.gpu_seconds,
                jobs_at_once=arguments.jobs,
                max_steps=arguments.steps,
            )
            entries = [operator.limit(arguments.tenant, kind, arguments.member or arguments.tenant, limits)]
        case "deny":
            entries = [operator.deny(arguments.tenant, SubjectKind(arguments.kind), arguments.id, arguments.reason)]
        case "revoke":
            effect = Effect.DENY if arguments.deny else Effect.GRANT
            entries = [operator.revoke(arguments.tenant, effect, arguments.kind, arguments.id)]
        case _:
            entries = [*operator.grants(arguments.tenant)]
    lines = [describe(entry) for entry in entries if entry is not None]
    print("\n".join(lines) or "There is none.")


def _tenant(text: str) -> str:
    """A workspace's or an organisation's id as Slack writes it."""
    if not re.fullmatch(r"[TE][A-Z0-9]{1,30}", text):
        raise argparse.ArgumentTypeError("it looks like T0123ABCD (a workspace) or E0123ABCD (an organisation)")
    return text


def _any_tenant(text: str) -> str:
    """A workspace, an organisation, or an IAM principal's tenant."""
    return text if text.startswith("iam-") else _tenant(text)


def _limited(text: str) -> str:
    """A workspace's id, or the tenant of an IAM principal."""
    if re.fullmatch(r"T[A-Z0-9]{1,30}|iam-[0-9]{12}-[A-Za-z0-9.:=-]+", text):
        return text
    raise argparse.ArgumentTypeError("it looks like T0123ABCD, or iam-111122223333-render-farm")


def _workspace(text: str) -> str:
    if not _tenant(text).startswith("T"):
        raise argparse.ArgumentTypeError("a workspace's id looks like T0123ABCD")
    return text


def _organisation(text: str) -> str:
    if not _tenant(text).startswith("E"):
        raise argparse.ArgumentTypeError("an organisation's id looks like E0123ABCD")
    return text


if __name__ == "__main__":
    sys.exit(main())
