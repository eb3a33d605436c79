"""Look at the endpoints."""

from __future__ import annotations

from backend_lambda.contract.endpoints import Endpoint, EndpointList
from backend_lambda.ports import EndpointCatalog, EndpointMonitor


def list_endpoints(catalog: EndpointCatalog, monitor: EndpointMonitor) -> EndpointList:
    """All endpoints by name, each with its condition. May lag half a minute behind."""
    found = []
    for entry in catalog.entries():
        condition = monitor.condition(entry.sagemaker_endpoint_name)
        card = entry.card
        found.append(
            Endpoint(
                name=entry.name,
                model=card.name,
                title=card.title,
                status=condition.status,
                instances=condition.instances,
                native_width=card.native_width,
                native_height=card.native_height,
                size_multiple=card.size_multiple,
                default_steps=card.default_steps,
                default_guidance_scale=card.default_guidance_scale,
                max_steps=card.max_steps,
                max_pixels=card.max_pixels,
                training=entry.training.offer if entry.training is not None else None,
            )
        )
    return EndpointList(endpoints=found)
