"""Numbers that callers need before they call. Plain constants: importing them costs nothing.

A test holds them equal to the endpoint's own limits (`endpoint.contract`), which are the source.
"""

from __future__ import annotations

MAX_PROMPT_CHARS = 2_000
MAX_PICTURES = 4
MAX_SEED = 2**32 - 1
MAX_STEPS = 150
MAX_GUIDANCE_SCALE = 30.0
MIN_SIDE = 64
MAX_SIDE = 2_048
MAX_ASPECT = 4
"""The longer side is at most this many times the shorter one."""
MAX_CONTEXT_CHARS = 2_048
"""Length of the caller's context, as JSON."""
MAX_IDEMPOTENCY_KEY_CHARS = 128
