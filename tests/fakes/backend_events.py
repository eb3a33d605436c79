"""Events as AWS sends them to the backend's functions."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.backend import ADA


def request(
    method: str, path: str, body: Any = None, *, arn: str | None = ADA.arn, query: dict[str, str] | None = None
) -> dict[str, Any]:
    """API Gateway's proxy event for a REST API with IAM authorization. A `body` that is no text is sent as JSON."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "stage": "v1",
            "path": f"/v1{path}",
            "requestId": "request-1",
            "identity": {"userArn": arn, "sourceIp": "127.0.0.1"},
            "httpMethod": method,
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def sqs_batch(*bodies: str) -> dict[str, Any]:
    """What Lambda gets from a queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{index}",
                "receiptHandle": "r",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795453021000",
                    "SenderId": "sns",
                    "ApproximateFirstReceiveTimestamp": "1795453021001",
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
                "awsRegion": "us-east-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def completion_message(job_id: str, status: str = "Completed", **more: Any) -> str:
    """SageMaker's message about an invocation, by SNS with raw delivery."""
    return json.dumps(
        {
            "awsRegion": "us-east-1",
            "eventTime": "2026-11-23T12:00:05.077Z",
            "receivedTime": "2026-11-23T12:00:04.279Z",
            "invocationStatus": status,
            "requestParameters": {
                "accept": "application/json",
                "contentType": "application/json",
                "endpointName": "easel-tiny",
                "inputLocation": "s3://b/in.json",
            },
            "responseParameters": {"contentType": "application/json", "outputLocation": "s3://b/out.out"},
            "inferenceId": job_id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        | more
    )


def progress_message(bucket: str, key: str) -> str:
    """S3's event about a new object, by EventBridge."""
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "123456789012",
            "time": "2026-11-23T12:00:00Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket},
                "object": {"key": key, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184"},
                "request-id": "N4N7GDK58NMKJ12R",
                "requester": "123456789012",
                "reason": "PutObject",
            },
        }
    )
