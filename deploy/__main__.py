"""`python -m deploy …`: what an operator does beside deploying the template."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.cloudformation import stack_outputs
from deploy.endpoints import EndpointFailed, EndpointPlan, create_endpoint
from deploy.grants import grant_workspace
from deploy.models import NotAModel, publish_model, read_card
from deploy.own_roles import NoSuchPolicy, add_verbs, print_policy
from deploy.slack_credentials import store_slack_credentials


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
    verbs.add_parser("slack-credentials", help="store the app's signing secret and bot token (asked for, not echoed)")
    grant = verbs.add_parser("grant-workspace", help="let a workspace's members act under the artist role")
    grant.add_argument("team_id", help="the workspace, such as T0123ABCD")
    grant.add_argument("--role-arn", help="another role than the stack's artist")
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
            plan = EndpointPlan(
                name=arguments.name,
                card=read_card(arguments.model),
                image_uri=arguments.image,
                instance_type=arguments.instance_type,
                min_instances=arguments.min,
                max_instances=arguments.max,
            )
            create_endpoint(session, arguments.stack, outputs, plan, on_status=lambda status: print(status, flush=True))
        elif arguments.verb == "slack-credentials":
            signing_secret, bot_token = getpass.getpass("Signing secret: "), getpass.getpass("Bot token (xoxb-…): ")
            store_slack_credentials(session, outputs["SlackSecretArn"], signing_secret, bot_token)
        else:
            role_arn = arguments.role_arn or outputs["ArtistRoleArn"]
            grant_workspace(session, outputs["GrantsTableName"], arguments.team_id, role_arn)
    except (NotAModel, NoSuchPolicy, EndpointFailed, ClientError, BotoCoreError) as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
