"""Views, buttons, shortcuts, type-ahead and response URLs of the local workspace, with a real Bolt app."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk.errors import SlackApiError

from deploy.local.slack.client import WorkspaceRefused
from deploy.local.slack.client_types import Message, View
from tests.scenario.local_slack_app import Running, wait_until
from tests.scenario.local_slack_painter import draw, option, plain


@pytest.fixture(scope="module")
def module_running() -> Iterator[Running]:
    """One workspace server for all tests."""
    running = Running(rate_limit_factor=None)
    yield running
    running.stop()


@pytest.fixture
def running(module_running: Running) -> Running:
    """A workspace as new, with a Bolt app that has no listeners yet."""
    return module_running.start_over()


def modal(title: str = "Form", **facts: Any) -> dict[str, Any]:
    """A modal with one text input."""
    blocks = [
        {
            "type": "input",
            "block_id": "name",
            "label": plain("Name"),
            "element": {"type": "plain_text_input", "action_id": "value", "min_length": 2, "max_length": 10},
        }
    ]
    return {"type": "modal", "title": plain(title), "submit": plain("Send"), "blocks": blocks, **facts}


def form_of(running: Running, view: dict[str, Any]) -> View:
    """Open a view for ada by a command."""

    @running.app.command("/form")
    def form(ack: Any, client: Any, command: dict[str, Any]) -> None:
        client.views_open(trigger_id=command["trigger_id"], view=view)
        ack()

    outcome = running.ada.run_command("#design", "/form")
    assert outcome.ok, outcome.text
    return running.ada.views()[-1]


def message_with(running: Running, *elements: dict[str, Any]) -> Message:
    """A message of the app with these elements in an actions block."""
    channel = running.workspace.channel_id("#design")
    blocks = [{"type": "actions", "block_id": "row", "elements": list(elements)}]
    posted = running.web.chat_postMessage(channel=channel, text="press", blocks=blocks)
    return next(message for message in running.ada.messages("#design") if message.ts == posted["ts"])


def button(action_id: str, text: str = "Press") -> dict[str, Any]:
    """A button."""
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": "v"}


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    """The body of the refusal."""
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    return dict(caught.value.response.data)


def test_a_trigger_opens_one_view_and_only_for_a_moment(running: Running) -> None:
    triggers: list[str] = []
    running.app.command("/form")(lambda ack, command: (triggers.append(command["trigger_id"]), ack())[1])
    running.ada.run_command("#design", "/form")
    assert running.web.views_open(trigger_id=triggers[0], view=modal())["view"]["hash"]
    assert refused(running.web.views_open, trigger_id=triggers[0], view=modal())["error"] == "exchanged_trigger_id"
    assert refused(running.web.views_open, trigger_id="1.2.x", view=modal())["error"] == "invalid_trigger_id"
    running.ada.run_command("#design", "/form")
    time.sleep(0.55)
    assert refused(running.web.views_open, trigger_id=triggers[1], view=modal())["error"] == "expired_trigger_id"


def test_a_view_s_limits_are_pointed_at(running: Running) -> None:
    triggers: list[str] = []
    running.app.command("/form")(lambda ack, command: (triggers.append(command["trigger_id"]), ack())[1])
    for view, pointer in [
        (modal("x" * 25), "/view/title/text"),
        (modal(private_metadata="x" * 3001), "/view/private_metadata"),
        (modal(blocks=[{"type": "divider"}] * 101), "/view/blocks"),
        (modal(callback_id="x" * 256), "/view/callback_id"),
        ({"type": "modal", "title": plain("T"), "blocks": modal()["blocks"]}, "/view"),
    ]:
        running.ada.run_command("#design", "/form")
        answer = refused(running.web.views_open, trigger_id=triggers[-1], view=view)
        assert answer["error"] == "invalid_arguments"
        assert f"[json-pointer:{pointer}]" in answer["response_metadata"]["messages"][0]


def test_a_form_checks_itself_then_the_app_answers_with_errors_then_it_closes(running: Running) -> None:
    submitted: list[dict[str, Any]] = []

    @running.app.view("form")
    def submit(ack: Any, view: dict[str, Any]) -> None:
        submitted.append(view)
        name = view["state"]["values"]["name"]["value"]["value"]
        ack(response_action="errors", errors={"name": "taken"}) if name == "ada" else ack()

    view = form_of(running, modal(callback_id="form", private_metadata="kept"))
    assert running.ada.fill_and_submit(view).errors == {"name": "Please complete this required field."}
    assert running.ada.fill_and_submit(view, {"Name": "x"}).errors == {"name": "Please enter at least 2 characters."}
    assert submitted == []
    assert running.ada.fill_and_submit(view, {"Name": "ada"}).errors == {"name": "taken"}
    outcome = running.ada.fill_and_submit(view, {"name": "grace"})
    assert outcome.ok and outcome.views == []
    assert submitted[-1]["private_metadata"] == "kept"
    with pytest.raises(WorkspaceRefused, match="view_not_found"):
        running.ada.fill_and_submit(view, {"Name": "again"})


def test_update_push_and_clear_change_the_stack_which_is_three_deep(running: Running) -> None:
    @running.app.view("step")
    def step(ack: Any, view: dict[str, Any]) -> None:
        name = view["state"]["values"]["name"]["value"]["value"]
        if name == "clear":
            ack(response_action="clear")
        elif name == "update":
            ack(response_action="update", view=modal("Updated", callback_id="step"))
        else:
            ack(response_action="push", view=modal(f"After {name}", callback_id="step"))

    view = form_of(running, modal("First", callback_id="step"))
    assert running.ada.fill_and_submit(view, {"Name": "update"}).views[-1].title == "Updated"
    assert running.ada.views()[0].id == view.id
    second = running.ada.fill_and_submit(running.ada.views()[-1], {"Name": "one"}).views[-1]
    assert second.title == "After one"
    third = running.ada.fill_and_submit(second, {"Name": "two"}).views[-1]
    too_deep = running.ada.fill_and_submit(third, {"Name": "three"})
    assert (too_deep.error, too_deep.text) == ("push_limit_reached", "We had some trouble connecting. Try again?")
    running.ada.close_view(third)
    assert [entry.title for entry in running.ada.views()] == ["Updated", "After one"]
    assert running.ada.fill_and_submit(running.ada.views()[-1], {"Name": "clear"}).views == []


def test_a_form_that_isnt_answered_stays_with_slack_s_sentence(running: Running) -> None:
    running.app.view("form")(lambda ack: ack())
    view = form_of(running, modal(callback_id="form"))
    running.workspace.drop_acks(kind="interaction")
    outcome = running.ada.fill_and_submit(view, {"Name": "ada"})
    assert (outcome.ok, outcome.text) == (False, "We had some trouble connecting. Try again?")
    assert running.ada.fill_and_submit(outcome.views[-1]).ok


def test_updates_are_guarded_by_the_hash_and_keep_what_was_typed(running: Running) -> None:
    opened = form_of(running, modal(external_id="own-1"))
    first = running.web.views_update(view_id=opened.id, hash=opened.hash, view=modal("Two", external_id="own-1"))
    assert (
        refused(running.web.views_update, view_id=opened.id, hash=opened.hash, view=modal())["error"] == "hash_conflict"
    )
    assert running.web.views_update(external_id="own-1", view=modal("Three"))["view"]["id"] == opened.id
    assert first["view"]["hash"] != opened.hash
    assert refused(running.web.views_update, view_id="V404", view=modal())["error"] == "not_found"
    assert refused(running.web.views_publish, user_id=running.ada.id, view=modal())["error"] == "invalid_arguments"


def test_closing_tells_the_app_where_it_asked(running: Running) -> None:
    closed: list[dict[str, Any]] = []
    running.app.view_closed("form")(lambda ack, body: (closed.append(body), ack())[1])
    view = form_of(running, modal(callback_id="form", notify_on_close=True))
    running.ada.close_view(view)
    wait_until(lambda: closed)
    assert closed[0]["is_cleared"] is False and closed[0]["view"]["id"] == view.id


def test_a_button_carries_its_message_and_a_choice_its_option(running: Running) -> None:
    bodies: list[dict[str, Any]] = []
    for action_id in ("go", "size", "more"):
        running.app.action(action_id)(lambda ack, body: (bodies.append(body), ack())[1])
    select = {"type": "static_select", "action_id": "size", "options": [option("small"), option("large")]}
    overflow = {"type": "overflow", "action_id": "more", "options": [option("one"), option("two")]}
    message = message_with(running, button("go"), select, overflow)
    assert running.ada.press(message, "Press").ok
    assert running.ada.press(message, "size", "large").ok
    assert running.ada.press(message, "more", "two").ok
    assert bodies[0]["message"]["ts"] == message.ts and bodies[0]["container"]["type"] == "message"
    assert bodies[0]["user"]["team_id"] == "T0EASEL01" and bodies[0]["actions"][0]["value"] == "v"
    assert bodies[1]["actions"][0]["selected_option"]["value"] == "large"
    assert bodies[1]["state"]["values"]["row"]["size"]["selected_option"]["value"] == "large"
    assert bodies[2]["actions"][0]["selected_option"]["value"] == "two"
    with pytest.raises(WorkspaceRefused, match="not offered; offered: small, large"):
        running.ada.press(message, "size", "huge")
    with pytest.raises(WorkspaceRefused, match="action_not_found"):
        running.ada.press(message, "Nothing")


def test_an_unanswered_button_says_so(running: Running) -> None:
    message = message_with(running, button("go"))
    assert running.ada.press(message, "go").error == "dispatch_failed"
    running.workspace.lose_deliveries(kind="interaction")
    assert running.ada.press(message, "go").error == "operation_timeout"


def test_a_response_url_answers_replaces_and_deletes_five_times(running: Running) -> None:
    urls: list[str] = []
    running.app.action("go")(lambda ack, body: (urls.append(body["response_url"]), ack())[1])
    message = message_with(running, button("go"))
    running.ada.press(message, "go")
    url = urls[0]
    assert httpx.post(url, json={"text": "only ada"}).text == "ok"
    assert running.ada.ephemerals("#design")[0].text == "only ada" and running.grace.ephemerals() == []
    assert httpx.post(url, json={"text": "all", "response_type": "in_channel", "replace_original": False}).text == "ok"
    assert httpx.post(url, json={"text": "new", "replace_original": True}).text == "ok"
    texts = [entry.text for entry in running.grace.messages("#design")]
    assert texts == ["new", "all"]
    broken = httpx.post(url, json={"text": "x", "blocks": [{"type": "nothing"}]})
    assert (broken.status_code, broken.json()["error"]) == (400, "invalid_blocks")
    assert httpx.post(url, json={"delete_original": True}).text == "ok"
    assert [entry.text for entry in running.grace.messages("#design")] == ["all"]
    assert httpx.post(url, json={"text": "fifth"}).text == "ok"
    used = httpx.post(url, json={"text": "sixth"})
    assert (used.status_code, used.json()["error"]) == (404, "used_url")


def test_a_response_url_expires(running: Running) -> None:
    urls: list[str] = []
    running.app.command("/paint")(lambda ack, command: (urls.append(command["response_url"]), ack())[1])
    running.ada.run_command("#design", "/paint x")
    running.server.workspace.response_urls.find(urls[0].rpartition("/")[2]).made_monotonic -= 30 * 60 + 1
    assert httpx.post(urls[0], json={"text": "late"}).json()["error"] == "expired_url"


def test_ephemeral_messages_are_replaced_by_their_response_url(running: Running) -> None:
    channel = running.workspace.channel_id("#design")
    running.app.action("go")(lambda ack, respond: (ack(), respond(text="replaced", replace_original=True))[0])
    blocks = [{"type": "actions", "elements": [button("go")]}]
    running.web.chat_postEphemeral(channel=channel, user=running.ada.id, text="press", blocks=blocks)
    running.ada.press(running.ada.ephemerals()[0], "go")
    assert [entry.text for entry in running.ada.ephemerals()] == ["replaced"]


def test_shortcuts_of_both_kinds(running: Running) -> None:
    bodies: list[dict[str, Any]] = []
    running.app.shortcut("paint_global")(lambda ack, body: (bodies.append(body), ack())[1])
    running.app.shortcut("paint_message")(lambda ack, body: (bodies.append(body), ack())[1])
    message = running.grace.post("#design", "a boat")
    assert running.ada.open_shortcut("Paint something").ok
    assert running.ada.open_shortcut("Paint this", message).ok
    assert bodies[0]["type"] == "shortcut" and "channel" not in bodies[0] and "response_url" not in bodies[0]
    assert bodies[1]["type"] == "message_action" and bodies[1]["message"]["text"] == "a boat"
    assert bodies[1]["response_url"] and bodies[1]["trigger_id"]
    with pytest.raises(WorkspaceRefused, match="shortcut_not_found"):
        running.ada.open_shortcut("nothing")


def test_type_ahead_offers_what_the_app_says_and_refuses_too_much(running: Running) -> None:
    @running.app.options("pick")
    def pick(ack: Any, payload: dict[str, Any]) -> None:
        ack(
            options=[
                option(f"{payload['value']} {number}") for number in range(101 if payload["value"] == "all" else 2)
            ]
        )

    select = {"type": "external_select", "action_id": "pick", "min_query_length": 0}
    message = message_with(running, select)
    assert [entry["value"] for entry in running.ada.suggestions(message, "pick", "red")] == ["red 0", "red 1"]
    with pytest.raises(WorkspaceRefused, match="invalid_options"):
        running.ada.suggestions(message, "pick", "all")


def test_a_form_takes_files_which_only_then_the_app_may_read(running: Running, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    running.app.view("form")(lambda ack, view: (seen.append(view["state"]["values"]["files"]["value"]), ack())[1])
    element = {"type": "file_input", "action_id": "value", "filetypes": ["png"], "max_files": 2}
    blocks = [{"type": "input", "block_id": "files", "label": plain("Pictures"), "element": element}]
    view = form_of(running, modal(callback_id="form", blocks=blocks))
    picture = tmp_path / "a.png"
    picture.write_bytes(draw("a red circle", 64))
    files = [running.ada.upload(picture)["id"] for _ in range(3)]
    assert refused(running.web.files_info, file=files[0])["error"] == "file_not_found"
    assert running.ada.fill_and_submit(view, {"Pictures": files}).errors == {"files": "Please add at most 2 files."}
    assert running.ada.fill_and_submit(view, {"Pictures": files[:1]}).ok
    file_id = seen[0]["files"][0]["id"]
    assert running.web.files_info(file=file_id)["file"]["name"] == "a.png"


def picture(folder: Path, name: str, content: bytes = b"") -> Path:
    """A file with a picture, or with this content."""
    path = folder / name
    path.write_bytes(content or draw("a red circle", 64))
    return path


def test_a_form_refuses_files_of_other_types_and_too_large_ones(running: Running, tmp_path: Path) -> None:
    running.app.view("form")(lambda ack: ack())
    element = {"type": "file_input", "action_id": "value", "filetypes": ["png", "jpg"], "max_files": 10}
    view = form_of(
        running,
        modal(
            callback_id="form",
            blocks=[{"type": "input", "block_id": "files", "label": plain("Pictures"), "element": element}],
        ),
    )

    def submit(path: Path) -> dict[str, str]:
        return running.ada.fill_and_submit(view, {"Pictures": [running.ada.upload(path)["id"]]}).errors

    assert submit(picture(tmp_path, "notes.txt", b"no picture")) == {
        "files": "notes.txt is not one of these types: png, jpg."
    }
    large = picture(tmp_path, "large.png", b"x" * (10 * 1024 * 1024 + 1))
    assert submit(large) == {"files": "large.png is larger than 10 MB."}
    assert submit(picture(tmp_path, "FINE.PNG")) == {}
    broken = modal(
        blocks=[{"type": "input", "label": plain("x"), "element": element | {"filetypes": "png"}}],
    )
    assert refused(running.web.views_publish, user_id=running.ada.id, view=broken)["error"] == "invalid_arguments"


def test_pictures_of_a_message_become_a_form_that_is_checked_and_goes_on(running: Running, tmp_path: Path) -> None:
    """All that a form like `/finetune`'s needs of Slack, one after the other."""
    token = {"Authorization": f"Bearer {running.web.token}"}
    bodies: list[dict[str, Any]] = []
    forms: list[str] = []
    kinds = {"type": "file_input", "action_id": "value", "filetypes": ["png"]}
    blocks = [
        *modal()["blocks"],
        {
            "type": "input",
            "block_id": "model",
            "label": plain("Model"),
            "element": {"type": "external_select", "action_id": "model", "min_query_length": 0},
        },
        *(
            {
                "type": "input",
                "block_id": f"more-{n}",
                "label": plain(f"Pictures {n}"),
                "optional": True,
                "element": kinds,
            }
            for n in (1, 2)
        ),
    ]

    @running.app.shortcut("paint_message")
    def shortcut(ack: Any, body: dict[str, Any], client: Any) -> None:
        loading = {"type": "modal", "title": plain("Form"), "blocks": [{"type": "section", "text": plain("Loading …")}]}
        forms.append(client.views_open(trigger_id=body["trigger_id"], view=loading)["view"]["id"])
        bodies.append(body)
        ack()

    running.app.options("model")(lambda ack, payload: ack(options=[option(f"{payload['value']}-model")]))

    @running.app.view("form")
    def submitted(ack: Any, view: dict[str, Any]) -> None:
        bodies.append(view)
        if view["state"]["values"]["name"]["value"]["value"] == "taken":
            ack(response_action="errors", errors={"name": "There is one of that name."})
        else:
            ack(response_action="update", view={"type": "modal", "title": plain("Checking"), "blocks": []})

    message = running.grace.post("#design", "mugs", files=[picture(tmp_path, "mug.png")])
    assert running.ada.open_shortcut("Paint this", message).ok
    in_message = bodies[0]["message"]["files"][0]
    assert (
        httpx.get(in_message["url_private_download"], headers=token).content == picture(tmp_path, "x.png").read_bytes()
    )
    running.web.views_update(view_id=forms[0], view=modal(callback_id="form", blocks=blocks))
    view = running.ada.wait_for_view(lambda shown: len(shown.blocks) == 4)
    assert view.id == forms[0]
    chosen = running.ada.suggestions(view, "Model", "tiny")[0]
    first, second = (running.ada.upload(picture(tmp_path, name)) for name in ("one.png", "two.png"))
    assert httpx.get(first["url_private_download"], headers=token).status_code == 404  # not given to the app yet
    values = {"Model": chosen, "Pictures 1": [first["id"]], "Pictures 2": [second["id"]]}
    outcome = running.ada.fill_and_submit(view, {"Name": "taken", **values})
    assert outcome.errors == {"name": "There is one of that name."}
    assert running.ada.fill_and_submit(running.ada.views()[-1], {"Name": "mug"}).ok  # the rest is kept
    state = bodies[-1]["state"]["values"]
    assert state["model"]["model"]["selected_option"]["value"] == "tiny-model"
    given = [state[f"more-{n}"]["value"]["files"][0] for n in (1, 2)]
    assert [file["name"] for file in given] == ["one.png", "two.png"]
    for file in given:
        info = running.web.files_info(file=file["id"])["file"]
        assert httpx.get(info["url_private_download"], headers=token).content == draw("a red circle", 64)
        assert httpx.get(info["url_private_download"]).status_code == 403
    assert [shown.title for shown in running.ada.views()] == ["Checking"]
    running.web.views_update(view_id=forms[0], view=modal("Refused", callback_id="form", blocks=blocks))
    again = running.ada.wait_for_view(lambda shown: shown.title == "Refused")
    assert again.id == forms[0]


def test_the_home_tab_is_published_when_it_is_opened(running: Running) -> None:
    @running.app.event("app_home_opened")
    def home(event: dict[str, Any], client: Any) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [{"type": "divider"}]})

    running.ada.open_app_home()
    view = running.ada.wait_for(running.ada.home)
    assert view is not None and view.blocks[0]["type"] == "divider"
    assert running.grace.home() is None


def test_an_expired_push_needs_a_trigger_from_a_form(running: Running) -> None:
    errors: list[str] = []

    @running.app.action("next")
    def push(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack()
        client.views_push(trigger_id=body["trigger_id"], view=modal("Pushed"))

    blocks = [{"type": "actions", "elements": [button("next", "Next")]}]
    view = form_of(running, modal(blocks=blocks))
    assert running.ada.press(view, "Next").ok
    assert [entry.title for entry in running.ada.views()] == ["Form", "Pushed"]
    running.app.error(lambda error: errors.append(error.response["error"]))
    running.ada.press(message_with(running, button("next", "Next")), "Next")
    wait_until(lambda: errors)
    assert errors == ["invalid_trigger_id"]
