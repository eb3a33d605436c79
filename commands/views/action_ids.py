"""The ids by which buttons, forms and selects are known when Slack sends them back."""

from __future__ import annotations

REDO = "easel_redo"
EDIT = "easel_edit"
DELETE = "easel_delete"
CANCEL = "easel_cancel"
RETRY = "easel_retry"
PICTURE = "easel_picture_"
"""Followed by the picture's number, from 1."""

QUEUED_ACTIONS = (REDO, DELETE, CANCEL, RETRY)

ADMIN_CONFIRM = "easel_admin_confirm"
ADMIN_CANCEL = "easel_admin_cancel"

IMAGINE_FORM = "easel_imagine_form"
MODEL_SELECT = "easel_model"
LORA_SELECT = "easel_lora"

FINETUNE_CONFIRM = "easel_finetune_confirm"
FINETUNE_CANCEL = "easel_finetune_cancel"
FINETUNE_LOOK = "easel_finetune_look"
"""The button carries a question of `/finetune`, such as the next page of a list."""
IMPORT_FORM = "easel_import_form"


def picture_number(action_id: str) -> int | None:
    """Which picture a picture button shows, from 1; None for other ids."""
    number = action_id.removeprefix(PICTURE)
    return int(number) if action_id.startswith(PICTURE) and number in {"1", "2", "3", "4"} else None
