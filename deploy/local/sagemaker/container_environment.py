"""What a container finds in its environment, whether it serves or trains."""

from __future__ import annotations

import os
from collections.abc import Mapping

from deploy.local.sagemaker.settings import SageMakerSettings


def container_environment(
    settings: SageMakerSettings, credentials_uri: str, given: Mapping[str, str]
) -> dict[str, str]:
    """`given`: what the model or the training job sets itself."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "C.UTF-8",
        "TMPDIR": str(settings.folder),
        "HF_HUB_OFFLINE": "1",
        **settings.container_environment,
        **given,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_ENDPOINT_URL": settings.gateway_url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials_uri,
    }
