"""Numbers of trainings and LoRAs that callers need before they call. Plain constants: importing them costs nothing.

A test holds those equal to the endpoint's own (`endpoint.training_contract`) that it has too.
"""

from __future__ import annotations

MIN_TRAINING_PICTURES = 3
MAX_TRAINING_PICTURES = 50
MAX_PICTURE_BYTES = 10 * 1024 * 1024
"""What Slack's `file_input` takes too; https://docs.slack.dev/reference/block-kit/block-elements/file-input-element"""
MAX_PICTURE_PIXELS = 40_000_000
MIN_PICTURE_SIDE = 64
MAX_PICTURE_ASPECT = 3
MIN_RANK, MAX_RANK = 1, 128
MIN_TRAINING_STEPS, MAX_TRAINING_STEPS = 10, 10_000
MIN_LEARNING_RATE, MAX_LEARNING_RATE = 1e-6, 1e-2
MIN_RESOLUTION, MAX_RESOLUTION = 128, 2_048
MAX_LORA_NAME_CHARS = 32
MAX_TRIGGER_CHARS = 40
MAX_LORAS = 4
"""So many paint one picture together."""
MAX_LORA_WEIGHT = 2.0
DEFAULT_LORA_WEIGHT = 1.0
MAX_LORA_BYTES = 512 * 1024 * 1024
