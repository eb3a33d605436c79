"""Faults that a script switches on, to see what the app makes of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

DELIVERY_FAULTS = ("drop_ack", "lose", "delay", "repeat")
API_FAULTS = ("status", "error")


@dataclass
class DeliveryFault:
    """What happens to the next `remaining` deliveries of a kind (`command`, `event`, `interaction`, or None: any).

    `drop_ack`: the app gets it, but its answer never arrives. `lose`: the app never gets it. `delay`: it is on its way
    for `seconds`, already signed. `repeat`: it arrives `times` times at once.
    """

    fault: str
    remaining: int
    kind: str | None = None
    seconds: float = 0.0
    times: int = 2


@dataclass
class ApiFault:
    """What happens to the next `remaining` calls of a Web API method (`*`: any method).

    `status` answers that HTTP status (429 with `retry_after`), `error` answers that Slack error. With `is_applied`, the
    call takes effect first and only its answer is lost.
    """

    fault: str
    method: str
    remaining: int
    status: int = 500
    error: str = "internal_error"
    retry_after: int = 1
    is_applied: bool = False


@dataclass
class Faults:
    """All the faults that are switched on."""

    deliveries: list[DeliveryFault] = field(default_factory=list)
    api: list[ApiFault] = field(default_factory=list)

    def switch_on(self, request: dict[str, Any]) -> None:
        """Add one fault from a control request; raises `ValueError` with a sentence when it makes no sense."""
        request = dict(request)
        fault = request.get("fault")
        request["remaining"] = int(request.pop("count", 1))
        try:
            if fault in DELIVERY_FAULTS:
                self.deliveries.append(DeliveryFault(**request))
            elif fault in API_FAULTS and request.get("method"):
                self.api.append(ApiFault(**request))
            else:
                raise ValueError(
                    f"fault must be one of {', '.join(DELIVERY_FAULTS + API_FAULTS)} (API faults: and a method)"
                )
        except TypeError as error:
            raise ValueError(f"the fault {fault} has no such setting") from error

    def clear(self) -> None:
        """Switch everything off."""
        self.deliveries.clear()
        self.api.clear()

    def take_for_delivery(self, kind: str) -> dict[str, DeliveryFault]:
        """The faults that hit this delivery, by name; each counts down by one."""
        hit: dict[str, DeliveryFault] = {}
        for fault in self.deliveries:
            if fault.remaining > 0 and fault.fault not in hit and fault.kind in {None, kind}:
                fault.remaining -= 1
                hit[fault.fault] = fault
        self.deliveries = [fault for fault in self.deliveries if fault.remaining > 0]
        return hit

    def take_for_api(self, method: str) -> ApiFault | None:
        """The fault that hits this call, counted down by one, or None."""
        for fault in self.api:
            if fault.remaining > 0 and fault.method in {"*", method}:
                fault.remaining -= 1
                self.api = [other for other in self.api if other.remaining > 0]
                return fault
        return None

    def as_json(self) -> dict[str, Any]:
        """What is switched on."""
        return {
            "deliveries": [asdict(fault) for fault in self.deliveries],
            "api": [asdict(fault) for fault in self.api],
        }
