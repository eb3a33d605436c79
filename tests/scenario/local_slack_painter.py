"""Teaches the test's Bolt app to paint, with Pillow: commands, threads, buttons, a form, a home tab."""

from __future__ import annotations

import io
import time
from typing import Any

from PIL import Image, ImageDraw
from slack_sdk import WebClient

from tests.scenario.local_slack_app import Running

COLOURS = {"red": "#e01e5a", "blue": "#1264a3", "green": "#2eb67d", "yellow": "#ecb22e", "purple": "#4a154b"}
MODELS = ["Miniature", "Miniature large", "Watercolour", "Woodcut"]


def draw(prompt: str, size: int = 256) -> bytes:
    """A PNG of what the prompt names."""
    words = [word.strip(".,") for word in prompt.lower().split()]
    named = [COLOURS[word] for word in words if word in COLOURS]
    image = Image.new("RGB", (size, size), named[1] if len(named) > 1 else "#f4ede4")
    pen, edge = ImageDraw.Draw(image), size // 4
    box = (edge, edge, size - edge, size - edge)
    if "square" in words:
        pen.rectangle(box, fill=named[0] if named else "#1d1c1d")
    elif "triangle" in words:
        pen.polygon(
            [(size // 2, edge), (edge, size - edge), (size - edge, size - edge)], fill=(named or ["#1d1c1d"])[0]
        )
    else:
        pen.ellipse(box, fill=named[0] if named else "#1d1c1d")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def upload_ready(web: WebClient, filename: str, content: bytes) -> str:
    """Upload a picture and wait until Slack has processed it; its file id."""
    upload = web.files_getUploadURLExternal(filename=filename, length=len(content))
    web._upload_file(url=upload["upload_url"], data=content, logger=web._logger, timeout=5, proxy=None, ssl=None)
    web.files_completeUploadExternal(files=[{"id": upload["file_id"], "title": filename}])
    for _ in range(100):
        if web.files_info(file=upload["file_id"])["file"]["mimetype"]:
            break
        time.sleep(0.05)
    return str(upload["file_id"])


def result_blocks(prompt: str, file_ids: list[str]) -> list[dict[str, Any]]:
    """The blocks of a painted result."""
    images = [
        {"type": "image", "slack_file": {"id": file_id}, "alt_text": prompt, "title": plain(f"Picture {index + 1}")}
        for index, file_id in enumerate(file_ids)
    ]
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{prompt}*"}},
        *images,
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "seed `42` · _Miniature_ · 1.2 s"}]},
        {
            "type": "actions",
            "block_id": "result",
            "elements": [
                {"type": "button", "action_id": "redo", "text": plain("Redo"), "value": prompt, "style": "primary"},
                {
                    "type": "button",
                    "action_id": "delete",
                    "text": plain("Delete"),
                    "style": "danger",
                    "confirm": {
                        "title": plain("Delete this picture?"),
                        "text": plain("It can't be brought back."),
                        "confirm": plain("Delete"),
                        "deny": plain("Keep"),
                    },
                },
            ],
        },
    ]


def form_view() -> dict[str, Any]:
    """The form."""
    return {
        "type": "modal",
        "callback_id": "imagine_form",
        "title": plain("Imagine"),
        "submit": plain("Paint"),
        "close": plain("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": "prompt",
                "label": plain("Prompt"),
                "hint": plain("Say what should be seen, and where."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": "value",
                    "multiline": True,
                    "placeholder": plain("a small blue star on a yellow background"),
                },
            },
            {
                "type": "input",
                "block_id": "count",
                "label": plain("Pictures"),
                "element": {
                    "type": "static_select",
                    "action_id": "value",
                    "initial_option": option("1"),
                    "options": [option(str(number)) for number in range(1, 5)],
                },
            },
            {
                "type": "input",
                "block_id": "model",
                "optional": True,
                "label": plain("Model"),
                "element": {"type": "external_select", "action_id": "model", "min_query_length": 1},
            },
            {
                "type": "input",
                "block_id": "seed",
                "optional": True,
                "label": plain("Seed"),
                "element": {
                    "type": "number_input",
                    "action_id": "value",
                    "is_decimal_allowed": False,
                    "min_value": "0",
                },
            },
        ],
    }


def plain(text: str) -> dict[str, Any]:
    """A plain_text object."""
    return {"type": "plain_text", "text": text, "emoji": True}


def option(text: str) -> dict[str, Any]:
    """A select's option."""
    return {"text": plain(text), "value": text}


def teach(running: Running, command: str = "/imagine", paint_seconds: float = 0.0) -> None:
    """Give the app its listeners."""
    app, web = running.app, running.web

    def paint(prompt: str, channel: str, count: int = 1, thread_ts: str | None = None) -> None:
        placeholder = web.chat_postMessage(channel=channel, text=f":art: Painting *{prompt}*…", thread_ts=thread_ts)
        parent = thread_ts or placeholder["ts"]
        if paint_seconds:
            web.assistant_threads_setStatus(channel_id=channel, thread_ts=parent, status="is painting…")
            time.sleep(paint_seconds)
        file_ids = [upload_ready(web, f"picture-{index + 1}.png", draw(prompt)) for index in range(count)]
        web.chat_update(
            channel=channel,
            ts=placeholder["ts"],
            text=prompt,
            blocks=result_blocks(prompt, file_ids),
            metadata={"event_type": "easel_result", "event_payload": {"prompt": prompt, "seed": 42}},
        )

    def acknowledge(ack: Any, command: dict[str, Any], client: WebClient) -> None:
        text = command["text"].strip()
        if not text:
            client.views_open(
                trigger_id=command["trigger_id"], view=form_view() | {"private_metadata": command["channel_id"]}
            )
            ack()
        elif text == "help":
            ack(f"*{command['command']}* paints what you say: `{command['command']} a small blue star`")
        else:
            ack()

    def work(command: dict[str, Any]) -> None:
        text = command["text"].strip()
        if text and text != "help":
            paint(text, command["channel_id"])

    app.command(command)(ack=acknowledge, lazy=[work])

    def mention(event: dict[str, Any]) -> None:
        prompt = event["text"].partition(">")[2].strip()
        paint(prompt, event["channel"], thread_ts=event.get("thread_ts") or event["ts"])

    app.event("app_mention")(ack=lambda ack: ack(), lazy=[mention])
    app.event("message")(lambda ack: ack())

    def redo(body: dict[str, Any]) -> None:
        thread_ts = body["message"].get("thread_ts") or body["message"]["ts"]
        paint(body["actions"][0]["value"], body["channel"]["id"], thread_ts=thread_ts)

    app.action("redo")(ack=lambda ack: ack(), lazy=[redo])

    @app.action("delete")
    def delete(ack: Any, respond: Any) -> None:
        ack()
        respond(delete_original=True)

    @app.options("model")
    def models(ack: Any, payload: dict[str, Any]) -> None:
        ack(options=[option(name) for name in MODELS if payload["value"].lower() in name.lower()])

    def submit(ack: Any, view: dict[str, Any]) -> None:
        prompt = view["state"]["values"]["prompt"]["value"]["value"]
        if len(prompt) < 5:
            ack(response_action="errors", errors={"prompt": "Say a little more: at least five letters."})
        else:
            ack()

    def paint_form(view: dict[str, Any]) -> None:
        values = view["state"]["values"]
        prompt = values["prompt"]["value"]["value"]
        if len(prompt) >= 5:
            paint(prompt, view["private_metadata"], int(values["count"]["value"]["selected_option"]["value"]))

    app.view("imagine_form")(ack=submit, lazy=[paint_form])

    @app.shortcut("paint_global")
    def paint_global(ack: Any, shortcut: dict[str, Any], client: WebClient) -> None:
        client.views_open(
            trigger_id=shortcut["trigger_id"],
            view=form_view() | {"private_metadata": running.workspace.channel_id("#general")},
        )
        ack()

    app.shortcut("paint_message")(
        ack=lambda ack: ack(),
        lazy=[
            lambda shortcut: paint(shortcut["message"]["text"], shortcut["channel"]["id"], 1, shortcut["message_ts"])
        ],
    )

    @app.event("app_home_opened")
    def home(event: dict[str, Any], client: WebClient) -> None:
        if event["tab"] == "home":
            blocks = [{"type": "header", "text": plain("Your pictures")}, {"type": "divider"}]
            client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})
