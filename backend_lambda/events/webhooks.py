"""The webhooks' queue: events from the bus, and the deliveries that become of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from backend_lambda import wiring
from backend_lambda.contract.webhooks import EventName
from backend_lambda.events.batch import ComesAgain, handle_records
from backend_lambda.usecases.deliver_event import Attempt, deliver_event
from backend_lambda.usecases.fan_out_event import Announcement, fan_out_event
from backend_lambda.webhooks.ports import DeliveryPorts
from backend_lambda.webhooks.record import Delivery


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Owner(_Part):
    tenant: Annotated[str, Field(min_length=1)]


class _Facts(_Part):
    """What is read of an event's detail; all of it is delivered."""

    event_id: Annotated[str, Field(min_length=1)]
    at: str
    owner: _Owner


class _Message(_Part):
    """What EventBridge sends. https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""

    name: EventName = Field(alias="detail-type")
    detail: dict[str, Any]


_MESSAGES: TypeAdapter[Delivery | _Message] = TypeAdapter(Delivery | _Message)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fan out the events of a batch, and try its deliveries."""
    ports = wiring.delivery_ports()
    return handle_records(event, context, lambda record: handle_record(record, ports))


def handle_record(record: SQSRecord, ports: DeliveryPorts) -> None:
    """Handle one message. Raises `ComesAgain` for a delivery that is to be tried once more (after its last try the
    queue moves it to the dead-letter queue), and `ValidationError` for what is neither event nor delivery.
    """
    message = _MESSAGES.validate_json(record.body)
    if isinstance(message, Delivery):
        wait = deliver_event(message, _attempt(record), ports)
        if wait is not None:
            ports.queue.postpone(record.receipt_handle, wait)
            raise ComesAgain
        return
    facts = _Facts.model_validate(message.detail)
    fan_out_event(Announcement(message.name, facts.owner.tenant, facts.event_id, facts.at, message.detail), ports)


def _attempt(record: SQSRecord) -> Attempt:
    milliseconds = int(record.attributes.approximate_first_receive_timestamp)
    return Attempt(
        int(record.attributes.approximate_receive_count), datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    )
