"""Announces installations on the EventBridge bus that the backend listens on."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ValidationError

from backend_lambda.contract.installations import SOURCE, WorkspaceInstalled
from bot.aws.signed_json import AwsCallFailed, SignedJson
from bot.installation import Installation
from bot.ports.announcer import NotAnnounced


class EventBridgeAnnouncer:
    """Implements `bot.ports.announcer.InstallationAnnouncer`."""

    def __init__(self, bus: str) -> None:
        self._events = SignedJson("events", "EVENTS", "AWSEvents", "1.1")
        self._bus = bus

    def announce(self, installation: Installation) -> None:
        """Put the event on the bus, perhaps twice: the backend acts on it once."""
        try:
            event = WorkspaceInstalled(
                tenant=installation.id,
                member=installation.installer,
                organisation=None if installation.is_org_wide else installation.enterprise or None,
                at=datetime.fromtimestamp(installation.installed_at, UTC),
            )
        except ValidationError:
            raise NotAnnounced("malformed ids") from None
        entry = {
            "Source": SOURCE,
            "DetailType": type(event).__name__,
            "Detail": event.model_dump_json(),
            "EventBusName": self._bus,
        }
        try:
            answer = self._events.call("PutEvents", {"Entries": [entry]})
        except AwsCallFailed as error:
            raise NotAnnounced(error.code) from error
        if answer.get("FailedEntryCount"):
            raise NotAnnounced(str(answer["Entries"][0].get("ErrorCode")))
