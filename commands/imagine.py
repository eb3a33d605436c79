"""`/imagine`: paint pictures from words."""

from __future__ import annotations

from backend_lambda.contract.limits import (
    MAX_ASPECT,
    MAX_GUIDANCE_SCALE,
    MAX_PICTURES,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_STEPS,
)
from commands.command import Command, OpenForm, Paint, Plan, Refuse, ShowHelp, ShowLimits, asks_for_help
from commands.grammar.loras import LorasOption
from commands.grammar.mistakes import Mistake, PromptMissing, PromptTooLong
from commands.grammar.options import IntegerOption, NameOption, NumberOption, Option, RatioOption, WordsOption
from commands.grammar.parse import Parsed, parse
from commands.grammar.subcommands import Subcommand
from commands.order import PaintOrder

NAME = "/imagine"

ASPECT = RatioOption("ar", "Width to height of the pictures", MAX_ASPECT, aliases=("aspect", "ratio"))
PICTURES = IntegerOption("n", "How many pictures", 1, MAX_PICTURES, hint=f"1-{MAX_PICTURES}", aliases=("pictures",))
SEED = IntegerOption("seed", "The same seed and settings give the same picture", 0, MAX_SEED)
STEPS = IntegerOption("steps", "Denoising steps: more take longer and can look better", 1, MAX_STEPS)
GUIDANCE = NumberOption(
    "cfg", "Guidance: how closely to follow the prompt", 0, MAX_GUIDANCE_SCALE, aliases=("guidance", "scale")
)
NEGATIVE = WordsOption("no", "What should not be in the picture", aliases=("negative", "without"))
MODEL = NameOption("model", "Which model paints", "the name of a model; the form lists them", aliases=("endpoint",))
LORA = LorasOption("lora", "What the team trained, with a weight; may be given several times", aliases=("loras",))

OPTIONS: tuple[Option, ...] = (ASPECT, PICTURES, SEED, STEPS, GUIDANCE, NEGATIVE, MODEL, LORA)

LIMITS = Subcommand("limits", "What you may still use here, and when it starts anew")


def read_request(text: str) -> Parsed | tuple[Mistake, ...]:
    """Read a prompt with options and check their lengths; the prompt may be empty."""
    parsed = parse(NAME, OPTIONS, text)
    if isinstance(parsed, tuple):
        return parsed
    return too_long(parsed.prompt, str(parsed.values.get(NEGATIVE.name, ""))) or parsed


def too_long(prompt: str, negative_prompt: str) -> tuple[Mistake, ...]:
    """A mistake for each text that the backend would not take."""
    texts = ((None, prompt), (NEGATIVE.name, negative_prompt))
    return tuple(
        PromptTooLong(option, len(text), MAX_PROMPT_CHARS) for option, text in texts if len(text) > MAX_PROMPT_CHARS
    )


def plan(text: str) -> Plan:
    """What to do about `/imagine <text>`."""
    if asks_for_help(text):
        return ShowHelp()
    if text.strip().lower() == LIMITS.path:
        return ShowLimits()
    parsed = read_request(text)
    if isinstance(parsed, tuple):
        return Refuse(parsed)
    if not parsed.prompt:
        return Refuse((PromptMissing(NAME),)) if parsed.values else OpenForm()
    return Paint(PaintOrder.from_values(parsed.prompt, parsed.values))


IMAGINE = Command(
    name=NAME,
    summary="Paint a picture from words",
    options=OPTIONS,
    plan=plan,
    examples=(
        ("a red boat on a blue background", "one picture, with the model's own settings"),
        ("a house and a tree --n 4 --ar 3:2", "four pictures in landscape format"),
        ("a yellow star --seed 7 --steps 30", "the same seed gives the same picture again"),
        ("a green fish --no bubbles, plants --cfg 9", "without bubbles and plants, close to the prompt"),
        ("a zblx in the snow --lora mascot:0.8 --lora ink", "with two LoRAs, the first one weaker"),
    ),
    subcommands=(LIMITS,),
    alone="a form with the same options",
)
