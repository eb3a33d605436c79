"""The ids by which the buttons, forms and shortcuts of trainings are known when Slack sends them back."""

from __future__ import annotations

TRAIN_SHORTCUT = "easel_train_pictures"
TRAIN_SHORTCUT_NAME = "Train on these pictures"
"""Slack allows 24 characters."""

TRAINING_FORM = "easel_training_form"
TRAINING_REVIEW = "easel_training_review"
TRAINING_WAIT = "easel_training_wait"
TRAINING_DENIAL = "easel_training_denial"

# In the form.
PRESET_SELECT = "easel_training_preset"
BASE_SELECT = "easel_training_base"
OPTION_INPUT = "easel_training_option"
"""Of every advanced option: the estimate depends on it."""
SHOW_ADVANCED = "easel_training_advanced"
MORE_PICTURES = "easel_training_more"

ESTIMATED = (PRESET_SELECT, BASE_SELECT, OPTION_INPUT)

# In the review, and in the message to whoever closed the form.
CHANGE_FORM = "easel_training_change"
GO_ON = "easel_training_go_on"

# Below messages; each carries the training's id.
APPROVE_TRAINING = "easel_training_approve"
DENY_TRAINING = "easel_training_deny"
SELF_APPROVE_TRAINING = "easel_training_self_approve"
CANCEL_TRAINING = "easel_training_cancel"
TRY_LORA = "easel_training_try"

QUEUED_TRAINING_ACTIONS = (APPROVE_TRAINING, SELF_APPROVE_TRAINING, CANCEL_TRAINING)
