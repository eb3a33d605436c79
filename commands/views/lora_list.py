"""`/finetune list`: what is being trained, the LoRAs, and what came to nothing, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend_lambda.contract.training_state import TrainingState
from commands.finetune import list_text
from commands.trouble import code
from commands.views.action_ids import FINETUNE_LOOK
from commands.views.blocks import Block, Message, actions, button, context, message, section
from commands.views.lora_words import lora_line, training_line

if TYPE_CHECKING:
    from backend_lambda.contract.loras import Lora
    from backend_lambda.contract.trainings import Training

PER_PAGE = 15
PART_CHARS = 2_800
# A line with more than this in it (markup counts) is cut by the section's own limit.
ENDED_SHOWN = 15

UNDER_WAY = "Trainings"
LORAS = "LoRAs"
RETIRED = "Retired LoRAs: no longer offered, still there"
ENDED = "Trainings that came to nothing"


def registry_list(
    loras: Sequence[Lora], trainings: Sequence[Training], member: str, is_mine: bool, page: int
) -> Message:
    """Page `page` (from 1; the last one, where there are fewer) of what there is, in `is_mine` of the member's own.

    Of others' trainings those that nobody has been asked about yet are left out.
    """
    lines = _lines(loras, trainings, member, is_mine)
    if not lines:
        whose = "You have trained nothing yet." if is_mine else "There are no LoRAs here yet."
        text = f"{whose} {code('/finetune')} trains one."
        return message(text, [section(text)])
    pages = -(-len(lines) // PER_PAGE)
    page = min(page, pages)
    shown = lines[(page - 1) * PER_PAGE : page * PER_PAGE]
    title = "Your trainings and LoRAs" if is_mine else "Trainings and LoRAs"
    return message(
        title,
        [
            *_sections(shown),
            context(
                f"Page {page} of {pages}" if pages > 1 else "",
                f"{code('/finetune card name')} says more about one.",
            ),
            actions(_pages(is_mine, page, pages)),
        ],
    )


def _lines(loras: Sequence[Lora], trainings: Sequence[Training], member: str, is_mine: bool) -> list[tuple[str, str]]:
    """Headings and lines."""
    if is_mine:
        loras = [one for one in loras if one.owner.member == member]
        trainings = [one for one in trainings if one.owner.member == member]
    under_way = [
        one
        for one in trainings
        if not one.state.is_final and (one.state is not TrainingState.DRAFT or one.owner.member == member)
    ]
    settled = {TrainingState.SUCCEEDED, TrainingState.DELETED}
    ended = [one for one in trainings if one.state.is_final and one.state not in settled]
    return [
        *((UNDER_WAY, training_line(one)) for one in under_way),
        *((LORAS, lora_line(one)) for one in loras if not one.is_retired),
        *((RETIRED, lora_line(one)) for one in loras if one.is_retired),
        *((ENDED, training_line(one)) for one in ended[:ENDED_SHOWN]),
    ]


def _sections(lines: Sequence[tuple[str, str]]) -> list[Block]:
    blocks: list[Block] = []
    part, last = "", ""
    for heading, line in lines:
        addition = line if heading == last else f"*{heading}*\n{line}"
        if part and (heading != last or len(part) + len(addition) > PART_CHARS):
            blocks.append(section(part))
            part = ""
        part = f"{part}\n{addition}" if part else addition
        last = heading
    return [*blocks, section(part)]


def _pages(is_mine: bool, page: int, pages: int) -> list[Block]:
    buttons = []
    if page > 1:
        buttons.append(button("Previous page", f"{FINETUNE_LOOK}_previous", list_text(is_mine, page - 1)))
    if page < pages:
        buttons.append(button("Next page", f"{FINETUNE_LOOK}_next", list_text(is_mine, page + 1)))
    return buttons
