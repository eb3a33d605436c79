"""SageMaker asynchronous inference."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.ports import StartedInvocation, StartPostponed, StartRefused, Timing

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html: what is not about this
# endpoint and request may go away by itself.
_FOR_GOOD = {"ValidationError", "ValidationException", "AccessDeniedException", "AccessDenied", "ResourceNotFound"}


class SageMakerStarter:
    """`InferenceStarter` on `InvokeEndpointAsync`; the requests lie in `bucket`."""

    def __init__(self, client: Client, bucket: str, timing: Timing) -> None:
        self._client = client
        self._bucket = bucket
        self._timing = timing

    def start(self, sagemaker_endpoint_name: str, job_id: str, request_key: str) -> StartedInvocation:
        try:
            answer = self._client().invoke_endpoint_async(
                EndpointName=sagemaker_endpoint_name,
                InferenceId=job_id,
                InputLocation=f"s3://{self._bucket}/{request_key}",
                ContentType="application/json",
                Accept="application/json",
                RequestTTLSeconds=int(self._timing.queue.total_seconds()),
                InvocationTimeoutSeconds=int(self._timing.invocation.total_seconds()),
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise (StartRefused if code in _FOR_GOOD else StartPostponed)(code) from error
        except BotoCoreError as error:
            raise StartPostponed(type(error).__name__) from error
        return StartedInvocation(answer.get("OutputLocation"), answer.get("FailureLocation"))
