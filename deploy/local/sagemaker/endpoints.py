"""The endpoints there are, and what the control plane may do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from deploy.local.sagemaker.async_queue import AsyncQueue
from deploy.local.sagemaker.aws_protocol import validation_exception
from deploy.local.sagemaker.catalog import Catalog, arn
from deploy.local.sagemaker.container_credentials import ContainerCredentials
from deploy.local.sagemaker.endpoint import Endpoint
from deploy.local.sagemaker.faults import Faults
from deploy.local.sagemaker.fleet import Fleet
from deploy.local.sagemaker.gateway import Gateway
from deploy.local.sagemaker.model_cache import ModelCache
from deploy.local.sagemaker.settings import SageMakerSettings


class Endpoints:
    """By name. `scaled` tells whether auto scaling looks after a variant: then updates keep its count."""

    def __init__(self, settings: SageMakerSettings, gateway: Gateway, catalog: Catalog, faults: Faults) -> None:
        self.credentials = ContainerCredentials()
        self.scaled: set[str] = set()
        self._settings = settings
        self._gateway = gateway
        self._catalog = catalog
        self._faults = faults
        self._models = ModelCache(settings.folder / "models")
        self._endpoints: dict[str, Endpoint] = {}
        self._deleting: set[asyncio.Task[None]] = set()

    def all(self) -> list[Endpoint]:
        """Every endpoint, the ones being deleted included."""
        return list(self._endpoints.values())

    def find(self, name: str) -> Endpoint | None:
        """The endpoint, if there is one."""
        return self._endpoints.get(name)

    def get(self, account: str, name: str) -> Endpoint:
        """Raises `AwsError`."""
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise validation_exception(f'Could not find endpoint "{self._arn(account, name)}".')
        return endpoint

    def create(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`CreateEndpoint`. Raises `AwsError`."""
        name = given["EndpointName"]
        endpoint_arn = self._arn(account, name)
        if name in self._endpoints:
            raise validation_exception(f'Cannot create already existing endpoint "{endpoint_arn}".')
        config = self._catalog.config(account, given["EndpointConfigName"])
        endpoint = Endpoint(
            name,
            endpoint_arn,
            account,
            config,
            make_fleet=lambda wanted: self._fleet(account, name, wanted),
            make_queue=lambda asynchronous: self._queue(account, name, asynchronous),
            gateway=self._gateway,
            launch_seconds=self._settings.launch_seconds,
        )
        self._endpoints[name] = endpoint
        self._catalog.add_tags(endpoint_arn, given.get("Tags", []))
        endpoint.create()
        return {"EndpointArn": endpoint_arn}

    def update(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`UpdateEndpoint`. Raises `AwsError`."""
        endpoint = self.get(account, given["EndpointName"])
        config = self._catalog.config(account, given["EndpointConfigName"])
        endpoint.check_changeable()
        scaled = endpoint.name in self.scaled
        if scaled and config["ProductionVariants"][0].get("InstanceType") != endpoint.variant.get("InstanceType"):
            raise validation_exception(
                f"The instance type of variant {endpoint.variant['VariantName']} can't be changed while it is "
                "registered as a scalable target."
            )
        endpoint.update(config, keep_count=scaled or given.get("RetainAllVariantProperties", False))
        return {"EndpointArn": endpoint.arn}

    def update_capacities(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`UpdateEndpointWeightsAndCapacities`. Raises `AwsError`."""
        endpoint = self.get(account, given["EndpointName"])
        endpoint.check_changeable()
        for wanted in given["DesiredWeightsAndCapacities"]:
            if wanted["VariantName"] != endpoint.variant["VariantName"]:
                raise validation_exception(f'Could not find variant "{wanted["VariantName"]}".')
            if "DesiredInstanceCount" in wanted:
                endpoint.scale(wanted["DesiredInstanceCount"])
        return {"EndpointArn": endpoint.arn}

    def delete(self, account: str, name: str) -> None:
        """`DeleteEndpoint`: it is gone once its instances are. Raises `AwsError`."""
        endpoint = self.get(account, name)
        endpoint.check_changeable()
        self.scaled.discard(name)
        endpoint.status = "Deleting"

        async def delete() -> None:
            await endpoint.delete()
            self._endpoints.pop(name, None)

        task = asyncio.create_task(delete())
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    async def close(self) -> None:
        """End every instance."""
        await asyncio.gather(*(endpoint.close() for endpoint in self.all()), return_exceptions=True)
        self._endpoints.clear()

    def _arn(self, account: str, name: str) -> str:
        return arn(self._settings.region, account, "endpoint", name)

    def _fleet(self, account: str, name: str, config: Mapping[str, Any]) -> Fleet:
        def pump() -> None:
            endpoint = self._endpoints.get(name)
            if endpoint is not None and endpoint.queue is not None:
                endpoint.queue.pump()

        return Fleet(
            name,
            self._catalog.model(account, config["ProductionVariants"][0]["ModelName"]),
            settings=self._settings,
            gateway=self._gateway,
            models=self._models,
            credentials=self.credentials,
            on_change=pump,
        )

    def _queue(self, account: str, name: str, asynchronous: Mapping[str, Any]) -> AsyncQueue:
        return AsyncQueue(
            asynchronous,
            account=account,
            region=self._settings.region,
            time_scale=self._settings.time_scale,
            gateway=self._gateway,
            faults=self._faults,
            fleet=lambda: self._endpoints[name].fleet,
        )
