"""Models, endpoint configurations and tags: what the control plane only keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deploy.local.sagemaker.aws_protocol import validation_exception
from deploy.local.sagemaker.gateway import Gateway


def arn(region: str, account: str, kind: str, name: str) -> str:
    """A SageMaker ARN; SageMaker writes names in lower case there."""
    return f"arn:aws:sagemaker:{region}:{account}:{kind}/{name.lower()}"


class Catalog:
    """Documents as `Describe…` gives them, by name."""

    def __init__(self, gateway: Gateway, region: str) -> None:
        self._gateway = gateway
        self._region = region
        self._models: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, dict[str, str]] = {}

    async def create_model(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Needs one container with an uncompressed S3 prefix, and a role that SageMaker may assume."""
        name = given["ModelName"]
        model_arn = arn(self._region, account, "model", name)
        if name in self._models:
            raise validation_exception(f'Cannot create already existing model "{model_arn}".')
        container = primary_container(given)
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        if source.get("S3DataType") != "S3Prefix" or source.get("CompressionType") != "None":
            raise validation_exception(
                "This stand-in serves models from an uncompressed S3 prefix (ModelDataSource.S3DataSource)."
            )
        role = given.get("ExecutionRoleArn")
        if not role:
            raise validation_exception("ExecutionRoleArn is required.")
        await self._gateway.call(self._gateway.role_metadata, role_arn=role)
        self._models[name] = {**_without_tags(given), "ModelArn": model_arn, "CreationTime": datetime.now(UTC)}
        self.add_tags(model_arn, given.get("Tags", []))
        return {"ModelArn": model_arn}

    def model(self, account: str, name: str) -> dict[str, Any]:
        """Raises `AwsError`."""
        if name not in self._models:
            raise validation_exception(f'Could not find model "{arn(self._region, account, "model", name)}".')
        return self._models[name]

    def models(self) -> list[dict[str, Any]]:
        """All of them, as `ListModels` shows them."""
        names = ("ModelName", "ModelArn", "CreationTime")
        return [{name: model[name] for name in names} for model in self._models.values()]

    def delete_model(self, account: str, name: str) -> None:
        """Endpoints that run go on with it. Raises `AwsError`."""
        self.model(account, name)
        del self._models[name]

    def create_config(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """One production variant with a model that exists. Raises `AwsError`."""
        name = given["EndpointConfigName"]
        config_arn = arn(self._region, account, "endpoint-config", name)
        if name in self._configs:
            raise validation_exception(f'Cannot create already existing endpoint configuration "{config_arn}".')
        variants = given["ProductionVariants"]
        if len(variants) != 1:
            raise validation_exception("This stand-in runs exactly one production variant, as asynchronous ones do.")
        if "ModelName" not in variants[0] or "InitialInstanceCount" not in variants[0]:
            raise validation_exception("A production variant needs ModelName and InitialInstanceCount.")
        self.model(account, variants[0]["ModelName"])
        self._configs[name] = {
            **_without_tags(given),
            "EndpointConfigArn": config_arn,
            "CreationTime": datetime.now(UTC),
        }
        self.add_tags(config_arn, given.get("Tags", []))
        return {"EndpointConfigArn": config_arn}

    def config(self, account: str, name: str) -> dict[str, Any]:
        """Raises `AwsError`."""
        if name not in self._configs:
            config_arn = arn(self._region, account, "endpoint-config", name)
            raise validation_exception(f'Could not find endpoint configuration "{config_arn}".')
        return self._configs[name]

    def configs(self) -> list[dict[str, Any]]:
        """All of them, as `ListEndpointConfigs` shows them."""
        names = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return [{name: config[name] for name in names} for config in self._configs.values()]

    def delete_config(self, account: str, name: str) -> None:
        """Raises `AwsError`."""
        self.config(account, name)
        del self._configs[name]

    def add_tags(self, resource_arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """All tags of the resource afterwards."""
        kept = self._tags.setdefault(resource_arn, {})
        kept.update({tag["Key"]: tag["Value"] for tag in tags})
        return [{"Key": key, "Value": value} for key, value in kept.items()]

    def delete_tags(self, resource_arn: str, keys: list[str]) -> None:
        """Those that there are."""
        for key in keys:
            self._tags.get(resource_arn, {}).pop(key, None)

    def forget_tags(self, resource_arn: str) -> None:
        """The resource is gone."""
        self._tags.pop(resource_arn, None)

    def tags_of(self, resource: str) -> dict[str, str]:
        """Of an ARN as IAM is asked about it: its account is not known yet."""
        end = ":" + resource.rsplit(":", 1)[-1]
        return next((dict(tags) for each, tags in self._tags.items() if each.endswith(end)), {})


def primary_container(model: Mapping[str, Any]) -> dict[str, Any]:
    """The one container of a model. Raises `AwsError` where there are others."""
    containers = model.get("Containers") or [model.get("PrimaryContainer")]
    if len(containers) != 1 or containers[0] is None:
        raise validation_exception("A model needs exactly one container.")
    container: dict[str, Any] = containers[0]
    return container


def _without_tags(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != "Tags"}
