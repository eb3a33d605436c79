"""What stands below `/opt/ml` in a training container, in a folder of its own here.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.local.sagemaker.training_request import BASE, DEFAULT_CHECKPOINTS

_HOST = "localhost"  # so that `sagemaker-training`, which resolves it, works here too


class TrainingFolder:
    """`root` is `/opt/ml`: the container hears of it as SAGEMAKER_BASE_DIR."""

    def __init__(self, root: Path, request: Mapping[str, Any]) -> None:
        self.root = root
        self._request = request
        local = request.get("CheckpointConfig", {}).get("LocalPath", DEFAULT_CHECKPOINTS)
        self.checkpoints = root.joinpath(*PurePosixPath(local).relative_to(BASE).parts)
        self.model = root / "model"
        self.data = root / "output" / "data"
        self._failure = root / "output" / "failure"
        self.scratch = root / "tmp"

    def lay_out(self) -> None:
        """The empty folders, and the configuration as JSON."""
        config = self.root / "input" / "config"
        for folder in (config, self.checkpoints, self.model, self.data, self.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        instance_type = self._request["ResourceConfig"]["InstanceType"]
        group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": [_HOST]}
        documents = {
            "hyperparameters": self._request.get("HyperParameters", {}),
            "resourceconfig": {
                "current_host": _HOST,
                "current_instance_type": instance_type,
                "current_group_name": "homogeneousCluster",
                "hosts": [_HOST],
                "instance_groups": [group],
                "network_interface_name": "lo",
            },
            "inputdataconfig": {
                channel["ChannelName"]: self._described(channel) for channel in self._request.get("InputDataConfig", [])
            },
        }
        for name, document in documents.items():
            (config / f"{name}.json").write_text(json.dumps(document))

    def channel(self, name: str) -> Path:
        """Where a channel's files are."""
        return self.root / "input" / "data" / name

    def failure(self) -> str:
        """What the container has written of why it failed; empty where it has not."""
        try:
            return self._failure.read_text(errors="replace").strip()
        except OSError:
            return ""

    def _described(self, channel: Mapping[str, Any]) -> dict[str, str]:
        source = channel["DataSource"]["S3DataSource"]
        shown = {
            "ContentType": channel.get("ContentType"),
            "TrainingInputMode": "File",
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
        return {name: value for name, value in shown.items() if value is not None}
