"""Showing somebody how their form stands: in the modal, or in a message where they have closed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.invocation import Invocation
from bot.logs import log
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.worker.deps import WorkerDeps
from bot.worker.trainings.drafts import FILLING, REVIEW, Draft, Drafts
from bot.worker.trainings.trainables import known_trainables
from commands.sentences_training import nothing_trainable
from commands.training_offers import Trainables
from commands.trouble import Trouble
from commands.views.blocks import Message
from commands.views.training_form import FormPlace, training_form, trouble_view
from commands.views.training_left import checked_message, trouble_left_message

VIEW_GONE_CODES = frozenset({"not_found", "view_not_found", "view_closed"})
PICTURE_REFUSED_CODES = frozenset({"invalid_arguments", "invalid_blocks", "slack_file_not_found", "invalid_slack_file"})


@dataclass(frozen=True)
class Desk:
    """One form in somebody's hands."""

    deps: WorkerDeps
    invocation: Invocation
    place: FormPlace

    @property
    def key(self) -> str:
        """The form's."""
        return self.place.key

    @property
    def drafts(self) -> Drafts:
        """Where forms are remembered."""
        return Drafts(self.deps.store, self.deps.clock)

    def show(self, view: Mapping[str, Any]) -> bool:
        """Show a view in the modal; False where it has been closed."""
        if not self.invocation.view_id:
            return False
        try:
            self.deps.slack.update_view(self.invocation.view_id, view)
        except SlackRefused as refused:
            if refused.code not in VIEW_GONE_CODES:
                raise
            return False
        return True

    def show_lightly(self, view: Mapping[str, Any]) -> None:
        """Show a view that is soon outdated."""
        try:
            self.show(view)
        except NotInstalled:
            raise
        except (SlackRefused, SlackUnavailable) as error:
            log.info("view not shown", extra={"form": self.key, "problem": str(error)})

    def show_or_write(self, view: Mapping[str, Any], message: Message) -> None:
        """Show a view; to whoever has closed the modal, write the message instead."""
        if not self.show(view):
            self.deps.slack.write_to(self.invocation.member, message)

    def show_form(self, draft: Draft, trainables: Trainables | None = None) -> None:
        """The form with what was filled in, and what the last check said."""
        listed = trainables or known_trainables(self.deps, self.invocation.team)
        place = draft.place(self.key, self.place.response_url, self.invocation.team)
        if not listed.endpoints:
            view = trouble_view(nothing_trainable(), place)
        else:
            default, report = self.deps.default_endpoint, draft.report
            view = training_form(place, listed, default, draft.order, draft.kept, report)
        self.show_or_write(
            view, checked_message(draft.order.name, len(draft.accepted), draft.faults, self.key, self.invocation.team)
        )

    def trouble(self, trouble: Trouble, draft: Draft | None = None) -> None:
        """The form with what went wrong above it; without a draft, what went wrong alone."""
        if draft is None:
            self.show_or_write(trouble_view(trouble, self.place), trouble_left_message(trouble))
            return
        noted = self.drafts.change(self.key, lambda now: replace(now, stage=FILLING, trouble=vars(trouble)))
        listed = known_trainables(self.deps, self.invocation.team)
        place = noted.place(self.key, self.place.response_url, self.invocation.team)
        view = (
            training_form(place, listed, self.deps.default_endpoint, noted.order, noted.kept, noted.report)
            if listed.endpoints
            else trouble_view(trouble, place)
        )
        self.show_or_write(view, trouble_left_message(trouble, self.key, self.invocation.team))


def is_reviewed(draft: Draft) -> bool:
    """Whether all that is left is to ask for the approval."""
    return draft.stage == REVIEW and draft.training_id is not None
