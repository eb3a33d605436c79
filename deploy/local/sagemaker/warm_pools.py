"""Instances that are kept after a training job for the next one that matches.

https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.local.sagemaker.training_request import is_spot, keep_alive_seconds

_MATCHED = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


@dataclass
class _Pool:
    match: tuple[Any, ...]
    keep_seconds: float
    since: float | None = None
    """None while its job runs."""
    reused_by: str | None = None
    ended_seconds: float | None = None


class WarmPools:
    """By the job that left them. Times are the service's seconds, `time_scale` of them in one of ours."""

    def __init__(self, time_scale: float) -> None:
        self._time_scale = time_scale
        self._pools: dict[str, _Pool] = {}

    def take(self, name: str, request: Mapping[str, Any]) -> bool:
        """Whether a job gets the instance of one before it. Its own is kept after it, where it asks for that."""
        match = _match(request)
        found = next((pool for pool in self._pools.values() if self._is_available(pool) and pool.match == match), None)
        if found is not None and not is_spot(request):
            found.ended_seconds, found.reused_by = self._retained(found), name
        else:
            found = None
        if keep_alive_seconds(request):
            self._pools[name] = _Pool(match, keep_alive_seconds(request))
        return found is not None

    def keep(self, name: str) -> None:
        """A job has ended on an instance that is fit for another."""
        if name in self._pools:
            self._pools[name].since = time.monotonic()

    def drop(self, name: str) -> None:
        """A job has ended without one."""
        self._pools.pop(name, None)

    def is_available(self, name: str) -> bool:
        """Whether a job's instance waits for another one."""
        pool = self._pools.get(name)
        return pool is not None and self._is_available(pool)

    def extend(self, name: str, keep_seconds: float) -> None:
        """Keep an available one for so long altogether; 0 ends it."""
        self._pools[name].keep_seconds = keep_seconds

    def status(self, name: str) -> dict[str, Any] | None:
        """A job's `WarmPoolStatus`, if it has one."""
        pool = self._pools.get(name)
        if pool is None:
            return None
        if pool.since is None:
            return {"Status": "InUse"}
        retained = {"ResourceRetainedBillableTimeInSeconds": round(self._retained(pool))}
        if pool.reused_by is not None:
            return {"Status": "Reused", **retained, "ReusedByJob": pool.reused_by}
        return {"Status": "Available" if self._is_available(pool) else "Terminated", **retained}

    def _is_available(self, pool: _Pool) -> bool:
        return pool.since is not None and pool.reused_by is None and self._age(pool) < pool.keep_seconds

    def _age(self, pool: _Pool) -> float:
        return 0.0 if pool.since is None else (time.monotonic() - pool.since) * self._time_scale

    def _retained(self, pool: _Pool) -> float:
        return pool.ended_seconds if pool.ended_seconds is not None else min(self._age(pool), pool.keep_seconds)


def _match(request: Mapping[str, Any]) -> tuple[Any, ...]:
    resources, network = request["ResourceConfig"], request.get("VpcConfig", {})
    return (
        request["RoleArn"],
        *(resources.get(name) for name in _MATCHED),
        tuple(network.get("SecurityGroupIds", [])),
        tuple(network.get("Subnets", [])),
        bool(request.get("EnableInterContainerTrafficEncryption")),
        bool(request.get("EnableNetworkIsolation")),
    )
