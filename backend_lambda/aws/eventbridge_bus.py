"""The backend's EventBridge bus."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.contract.events import SOURCE, JobEvent
from backend_lambda.contract.training_events import TrainingEvent
from backend_lambda.ports import PublishFailed


class EventBridgeBus:
    """`EventBus` on a custom EventBridge bus."""

    def __init__(self, client: Client, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, event: JobEvent | TrainingEvent) -> None:
        entry = {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": type(event).__name__,
            "Detail": event.model_dump_json(),
            "Time": event.at,
        }
        try:
            answer = self._client().put_events(Entries=[entry])
        except (ClientError, BotoCoreError) as error:
            raise PublishFailed(f"{entry['DetailType']} was not sent") from error
        # The call succeeds although the entry may have failed.
        if answer.get("FailedEntryCount", 0):
            raise PublishFailed(f"{entry['DetailType']} was refused: {answer['Entries'][0].get('ErrorCode')}")
