"""Trainings on the stage: forms as the acknowledging function queues them, and whole lives up to any point."""

from __future__ import annotations

from typing import Any

from bot.invocation import Invocation, Kind
from commands.training_order import TrainingOrder
from commands.views.training_form import Filled, FormPlace, NewPicture
from commands.views.training_ids import APPROVE_TRAINING
from tests.fakes.bot import Posted, TheirFile
from tests.fakes.bot_stage import Stage
from tests.fakes.training_pictures import png

KEY, VIEW = "training-1", "V1"
PLACE = FormPlace(KEY, "C1")
ORDER = TrainingOrder("mascot", "zblx", "tiny", what="mug")
APPROVALS = "CAPPROVALS"


class TrainingStage(Stage):
    """U1 may train, UADMIN may approve; the modal V1 is open; files F1, F2, … are good pictures in Slack."""

    def __init__(self, pictures: int = 4) -> None:
        super().__init__()
        self.access.grant("T1", "member", "U1", "trainer")
        self.trainings.place = APPROVALS
        self.slack.views[VIEW] = []
        for number in range(1, pictures + 1):
            self.slack.their_files[f"F{number}"] = TheirFile(f"good-{number}.png", png(number))
        self._pressed = 0

    @property
    def view(self) -> dict[str, Any]:
        """What the modal shows."""
        return self.slack.views[VIEW][-1]

    def view_says(self, text: str) -> bool:
        """Whether the text stands anywhere in the modal."""
        return text in str(self.view)

    def checking(self, files: list[str] | None = None, key: str = "pictures-1", **facts: Any) -> Invocation:
        """The form was submitted with these files."""
        files = [name for name in self.slack.their_files if name.startswith("F")] if files is None else files
        added = [NewPicture(file, self.slack.their_files[file].name) for file in files]
        values = {"order": ORDER, "place": PLACE, "left_out": [], "with_thread": False, **facts}
        filled = Filled(values["place"], values["order"], added, values["left_out"], values["with_thread"])
        return self.form(Kind.TRAINING_PICTURES, key, filled.to_json())

    def asking(self, key: str = "ask-1", captions: dict[str, str] | None = None) -> Invocation:
        """The review was submitted."""
        return self.form(Kind.TRAINING_ASK, key, {"place": PLACE.to_metadata(), "captions": captions or {}})

    def form(self, kind: Kind, key: str, training: dict[str, Any], member: str = "U1") -> Invocation:
        """What a view asks of the worker."""
        now = self.clock.now()
        return Invocation(kind, key, "T1", "C1", member, now, actor_team="T1", view_id=VIEW, training=training)

    def asked(self) -> tuple[str, Posted]:
        """A training that waits for its approval, its request posted; its id and the message that follows it."""
        assert self.work(self.checking()) and self.work(self.asking())
        self.tell_all()
        training_id = self.trainings.latest
        return training_id, next(one for one in self.slack.messages if one.channel == "C1")

    def approved(self) -> tuple[str, Posted]:
        """The same, approved by UADMIN."""
        training_id, posted = self.asked()
        assert self.work(self.decision(Kind.TRAINING_APPROVE))
        self.tell_all()
        return training_id, posted

    @property
    def request(self) -> Posted:
        """The message that asks."""
        return next(one for one in self.slack.messages if one.channel == APPROVALS)

    @property
    def pictures_message(self) -> Posted:
        """The message with plot and samples."""
        return next(one for one in self.slack.messages if one.request_key.endswith("-pictures"))

    def decision(self, kind: Kind, member: str = "UADMIN", key: str = "", **facts: Any) -> Invocation:
        """A button below the request was pressed."""
        self._pressed += 1
        return Invocation(
            kind=kind,
            request_key=key or f"press-{self._pressed}",
            team="T1",
            channel=APPROVALS,
            member=member,
            at=self.clock.now(),
            actor_team="T1",
            message_ts=self.request.ts,
            value=facts.pop("value", None) or self.trainings.latest,
            **facts,
        )

    def tell_all(self) -> None:
        """Every event that has not been told."""
        while self.trainings.outbox:
            assert self.announce(self.trainings.outbox.pop(0))

    def has_live_buttons(self) -> bool:
        """Whether anybody could still decide."""
        return APPROVE_TRAINING in str(self.request.view.to_json())
