"""The stand-in's HTTP side: AWS's protocols, IAM's verdict on every call, and a few routes of our own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.sagemaker.async_invocation import INPUT_PREFIX, AsyncInvocation
from deploy.local.sagemaker.aws_protocol import (
    AwsError,
    error_answer,
    json_answer,
    operation_of_target,
    parse_json,
    validation_exception,
)
from deploy.local.sagemaker.catalog import Catalog
from deploy.local.sagemaker.endpoint import Endpoint
from deploy.local.sagemaker.endpoints import Endpoints
from deploy.local.sagemaker.faults import Faults
from deploy.local.sagemaker.gateway import SERVICE, Gateway
from deploy.local.sagemaker.iam_resources import conditions_of, passed_role, resources_of
from deploy.local.sagemaker.paging import page
from deploy.local.sagemaker.scaling_loop import ScalingLoop
from deploy.local.sagemaker.scaling_targets import ScalingTargets
from deploy.local.sagemaker.settings import SageMakerSettings
from deploy.local.sagemaker.training_jobs import TrainingJobs

Operation = Callable[[str, Mapping[str, Any]], Any]

_SYNC_TIMEOUT_SECONDS = 60.0


class SageMaker:
    """Everything behind the routes."""

    def __init__(self, settings: SageMakerSettings) -> None:
        settings.folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.gateway = Gateway(settings)
        self.faults = Faults()
        self.catalog = Catalog(self.gateway, settings.region)
        self.endpoints = Endpoints(settings, self.gateway, self.catalog, self.faults)
        self.trainings = TrainingJobs(settings, self.gateway, self.catalog, self.faults, self.endpoints.credentials)
        self.targets = ScalingTargets(self.endpoints, settings.region)
        self.loop = ScalingLoop(settings, self.gateway, self.endpoints, self.targets)
        self.operations = {
            "sagemaker": self._control_plane() | self._training(),
            "application-autoscaling": self._auto_scaling(),
        }

    def serving_at(self, url: str) -> None:
        """Where it is reached itself: containers fetch their credentials there."""
        self.endpoints.credentials.base_url = url

    def _control_plane(self) -> dict[str, Operation]:
        catalog, endpoints = self.catalog, self.endpoints
        return {
            "CreateModel": catalog.create_model,
            "DescribeModel": lambda account, given: catalog.model(account, given["ModelName"]),
            "ListModels": lambda _, given: page("Models", catalog.models(), given, "ModelName"),
            "DeleteModel": lambda account, given: catalog.delete_model(account, given["ModelName"]),
            "CreateEndpointConfig": catalog.create_config,
            "DescribeEndpointConfig": lambda account, given: catalog.config(account, given["EndpointConfigName"]),
            "ListEndpointConfigs": lambda _, given: page(
                "EndpointConfigs", catalog.configs(), given, "EndpointConfigName"
            ),
            "DeleteEndpointConfig": lambda account, given: catalog.delete_config(account, given["EndpointConfigName"]),
            "CreateEndpoint": endpoints.create,
            "UpdateEndpoint": endpoints.update,
            "UpdateEndpointWeightsAndCapacities": endpoints.update_capacities,
            "DescribeEndpoint": lambda account, given: endpoints.get(account, given["EndpointName"]).describe(),
            "ListEndpoints": lambda _, given: page(
                "Endpoints", [each.summary() for each in endpoints.all()], given, "EndpointName", "EndpointStatus"
            ),
            "DeleteEndpoint": lambda account, given: endpoints.delete(account, given["EndpointName"]),
            "AddTags": lambda _, given: {"Tags": catalog.add_tags(given["ResourceArn"], given["Tags"])},
            "ListTags": lambda _, given: {"Tags": catalog.add_tags(given["ResourceArn"], [])},
            "DeleteTags": lambda _, given: catalog.delete_tags(given["ResourceArn"], given["TagKeys"]),
        }

    def _training(self) -> dict[str, Operation]:
        trainings = self.trainings
        return {
            "CreateTrainingJob": trainings.create,
            "DescribeTrainingJob": lambda _, given: trainings.describe(given["TrainingJobName"]),
            "StopTrainingJob": lambda _, given: trainings.stop(given["TrainingJobName"]),
            "ListTrainingJobs": lambda _, given: trainings.list(given),
            "UpdateTrainingJob": lambda _, given: trainings.update(given),
            "DeleteTrainingJob": lambda _, given: trainings.delete(given["TrainingJobName"]),
        }

    def _auto_scaling(self) -> dict[str, Operation]:
        targets = self.targets
        return {
            "RegisterScalableTarget": targets.register,
            "DeregisterScalableTarget": lambda _, given: targets.deregister(given),
            "DescribeScalableTargets": lambda _, given: targets.describe(given),
            "PutScalingPolicy": targets.put_policy,
            "DeleteScalingPolicy": lambda _, given: targets.delete_policy(given),
            "DescribeScalingPolicies": lambda _, given: targets.describe_policies(given),
            "PutScheduledAction": targets.put_scheduled_action,
            "DeleteScheduledAction": lambda _, given: targets.delete_scheduled_action(given),
            "DescribeScheduledActions": lambda _, given: targets.describe_scheduled_actions(given),
            "DescribeScalingActivities": lambda _, given: targets.describe_activities(given),
        }

    async def act(self, request: Request) -> Response:
        """An operation of the control plane or of auto scaling."""
        body = await request.body()
        try:
            service, operation = operation_of_target(request.headers.get("x-amz-target", ""))
            given = parse_json(operation, body)
            account = ""
            # What is tagged as it is made needs the right to tag, too.
            is_tagged = service == "sagemaker" and given.get("Tags") and "ResourceArn" not in given
            actions = [operation.name, *(["AddTags"] if is_tagged else [])]
            for resource in resources_of(service, operation.name, given):
                conditions = conditions_of(given, self.catalog.tags_of(resource))
                for action in actions:
                    account = await self.gateway.authorize(request, body, f"{service}:{action}", resource, conditions)
            role_arn = passed_role(given)
            if role_arn:
                passed = {"iam:PassedToService": SERVICE}
                await self.gateway.authorize(request, body, "iam:PassRole", role_arn, passed)
            run = self.operations[service].get(operation.name)
            if run is None:
                raise validation_exception(f"This stand-in does not do {operation.name}.")
            result = run(account, given)
            if asyncio.iscoroutine(result):
                result = await result
        except AwsError as error:
            return error_answer(error)
        return json_answer(result or {})

    async def invoke_async(self, request: Request) -> Response:
        """`InvokeEndpointAsync`."""
        body = await request.body()
        try:
            endpoint = await self._endpoint(request, body, "sagemaker:InvokeEndpointAsync")
            if endpoint.queue is None:
                raise AwsError("ValidationError", f"Endpoint {endpoint.name} is not asynchronous.")
            invocation = AsyncInvocation.from_request(endpoint.name, request.headers, body, endpoint.queue.output)
            endpoint.queue.put(invocation)
        except AwsError as error:
            return error_answer(error, rest=True)
        return JSONResponse({"InferenceId": invocation.inference_id}, 202, invocation.answer_headers())

    async def invoke(self, request: Request) -> Response:
        """`InvokeEndpoint`."""
        body = await request.body()
        try:
            endpoint = await self._endpoint(request, body, "sagemaker:InvokeEndpoint")
            if endpoint.queue is not None:
                raise AwsError("ValidationError", f"Endpoint {endpoint.name} is asynchronous: use InvokeEndpointAsync.")
            if not endpoint.fleet.ready:
                raise AwsError("ServiceUnavailable", "No instance is available.", 503)
            answer = await self._forward(endpoint, request, body)
        except AwsError as error:
            return error_answer(error, rest=True)
        if answer.status_code != 200:
            return error_answer(
                AwsError(
                    "ModelError",
                    f"Received {'client' if answer.status_code < 500 else 'server'} error ({answer.status_code}) from "
                    f'primary with message "{answer.text[:1024]}".',
                    424,
                ),
                rest=True,
            )
        headers = {"x-Amzn-Invoked-Production-Variant": endpoint.variant["VariantName"]}
        return Response(answer.content, 200, headers, media_type=answer.headers.get("content-type"))

    async def _forward(self, endpoint: Endpoint, request: Request, body: bytes) -> httpx.Response:
        instance = min(endpoint.fleet.ready, key=lambda each: each.running)
        names = ("content-type", "accept", f"{INPUT_PREFIX}Custom-Attributes", f"{INPUT_PREFIX}Inference-Id")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        instance.reserve()
        try:
            with instance.reserved():
                return await instance.invoke(body, headers, _SYNC_TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise AwsError("ServiceUnavailable", "The container did not answer in time.", 503) from error

    async def _endpoint(self, request: Request, body: bytes, action: str) -> Endpoint:
        """The endpoint that a runtime call names, once IAM has allowed it."""
        name = request.path_params["name"]
        resource = f"arn:aws:sagemaker:{{region}}:{{account}}:endpoint/{name.lower()}"
        account = await self.gateway.authorize(request, body, action, resource)
        endpoint = self.endpoints.find(name)
        if endpoint is None or not endpoint.takes_requests:
            raise AwsError("ValidationError", f"Endpoint {name} of account {account} not found.")
        return endpoint

    async def credentials(self, request: Request) -> Response:
        """What a container's SDK asks for."""
        try:
            role_arn = self.endpoints.credentials.role_of(request.path_params["token"])
            return JSONResponse(await asyncio.to_thread(self.gateway.credentials_for_container, role_arn))
        except AwsError as error:
            return JSONResponse({"code": error.code, "message": error.message}, error.status)

    async def set_faults(self, request: Request) -> Response:
        """`POST /control/faults` with a JSON object; answers with what is set then."""
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"message": "send application/json"}, 415)  # a web page can't, without asking first
        try:
            self.faults.set(json.loads(await request.body()))
        except (AwsError, ValueError, AttributeError) as error:
            return JSONResponse({"message": str(error)}, 400)
        return JSONResponse(vars(self.faults))

    async def interrupt_training(self, request: Request) -> Response:
        """`POST /control/trainings/<name>/interruption` with `{"notice": true}`: SIGTERM first, or no warning."""
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"message": "send application/json"}, 415)  # a web page can't, without asking first
        try:
            notice = json.loads(await request.body() or b"{}").get("notice", True)
            self.trainings.interrupt(request.path_params["name"], notice=bool(notice))
        except (AwsError, ValueError, AttributeError) as error:
            return JSONResponse({"message": str(error)}, 409)
        return JSONResponse({"notice": bool(notice)}, 202)


def create_app(sagemaker: SageMaker) -> Starlette:
    """The ASGI application; its lifespan runs the scaling loop and ends every instance."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.create_task(sagemaker.loop.run())
        yield
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await asyncio.gather(sagemaker.endpoints.close(), sagemaker.trainings.close())

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ready"})

    return Starlette(
        routes=[
            Route("/", sagemaker.act, methods=["POST"]),
            Route("/endpoints/{name}/async-invocations", sagemaker.invoke_async, methods=["POST"]),
            Route("/endpoints/{name}/invocations", sagemaker.invoke, methods=["POST"]),
            Route("/credentials/{token}", sagemaker.credentials, methods=["GET"]),
            Route("/control/trainings/{name}/interruption", sagemaker.interrupt_training, methods=["POST"]),
            Route("/control/faults", sagemaker.set_faults, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
