"""Bolt's own minimal Lambda example (bolt-python, examples/aws_lambda) with a boto3 client, for `bench` to compare."""

from __future__ import annotations

import boto3
from slack_bolt import Ack, App
from slack_bolt.adapter.aws_lambda import SlackRequestHandler

# As in the example, the secrets come from the environment. The token is not verified at start (in the example it is,
# by a call to Slack, which would only make the example slower).
app = App(process_before_response=True, token_verification_enabled=False)
queue = boto3.client("sqs")


@app.command("/imagine")
def respond_within_three_seconds(ack: Ack) -> None:
    ack("Accepted!")


def handler(event: dict[str, object], context: object) -> dict[str, object]:
    slack_handler = SlackRequestHandler(app=app)
    answer: dict[str, object] = slack_handler.handle(event, context)
    return answer
