"""The local workspace's Web API, called by Slack's own SDK."""

from __future__ import annotations

import io
import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from deploy.local.slack.blocks import check_message_blocks, check_view
from deploy.local.slack.web_api.methods import METHODS
from tests.scenario.local_slack_app import BOT_TOKEN, MANIFEST, Running

FUZZ_CLIENT = httpx.Client(trust_env=False)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One workspace for all; no rate limits except where a test sets them."""
    running = Running(rate_limit_factor=None)
    yield running
    running.stop()


@pytest.fixture
def general(running: Running) -> str:
    """The id of #general."""
    return running.workspace.channel_id("#general")


def png(width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "#1264a3").save(buffer, "PNG")
    return buffer.getvalue()


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    """The body of the refusal."""
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    return dict(caught.value.response.data)


def image_block(file_id: str) -> dict[str, Any]:
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": "a picture"}


def test_tokens_methods_and_encodings(running: Running) -> None:
    api = f"{running.server.url}/api"
    assert httpx.post(f"{api}/auth.test").json()["error"] == "not_authed"
    wrong = {"Authorization": "Bearer xoxb-wrong"}
    assert httpx.post(f"{api}/auth.test", headers=wrong).json()["error"] == "invalid_auth"
    right = {"Authorization": f"Bearer {BOT_TOKEN}"}
    assert httpx.post(f"{api}/auth.test", headers=right).json()["bot_id"] == "B0EASEL01"
    assert httpx.post(f"{api}/auth.test", data={"token": BOT_TOKEN}).json()["ok"]
    assert httpx.post(f"{api}/no.such", headers=right).json()["error"] == "unknown_method"
    assert httpx.post(f"{api}/api.test", content="{", headers={"content-type": "application/json"}).json() == {
        "ok": False,
        "error": "invalid_json",
    }


def test_messages_are_posted_changed_read_and_deleted(running: Running, general: str) -> None:
    metadata = {"event_type": "job", "event_payload": {"id": "j1"}}
    posted = running.web.chat_postMessage(channel=general, text="one", metadata=metadata)
    reply = running.web.chat_postMessage(channel="#general", text="two", thread_ts=posted["ts"])
    parent = running.web.conversations_replies(channel=general, ts=posted["ts"])["messages"]
    assert [message["text"] for message in parent] == ["one", "two"]
    assert parent[0]["reply_count"] == 1 and "metadata" not in parent[0]
    history = running.web.conversations_history(
        channel=general, latest=posted["ts"], inclusive=True, limit=1, include_all_metadata=True
    )
    assert history["messages"][0]["metadata"] == metadata
    running.web.chat_update(channel=general, ts=posted["ts"], text="changed")
    running.web.chat_update(channel=general, ts=reply["ts"], text="x", blocks=[{"type": "divider"}])
    seen = running.ada.messages("#general", posted["ts"])
    assert seen[0].text == "changed" and "edited" in seen[0].raw
    assert seen[1].blocks[0]["type"] == "divider" and "edited" not in seen[1].raw
    running.web.chat_update(channel=general, ts=reply["ts"], text="only text")
    assert running.ada.messages("#general", posted["ts"])[1].blocks == []
    running.web.chat_delete(channel=general, ts=posted["ts"])
    tombstone = running.ada.messages("#general", posted["ts"])[0]
    assert tombstone.raw["subtype"] == "tombstone"
    link = running.web.chat_getPermalink(channel=general, message_ts=reply["ts"])["permalink"]
    assert reply["ts"].replace(".", "") in link


@pytest.mark.filterwarnings("ignore:The top-level `text` argument")
def test_slack_says_what_is_wrong_with_a_message(running: Running, general: str) -> None:
    web = running.web
    theirs = running.ada.post("#general", "mine")
    assert refused(web.chat_postMessage, channel="C404", text="x")["error"] == "channel_not_found"
    assert refused(web.chat_postMessage, channel=general, text="")["error"] == "no_text"
    assert refused(web.chat_postMessage, channel=general, text="x" * 40_001)["error"] == "msg_too_long"
    assert refused(web.chat_update, channel=general, ts="1.2", text="x")["error"] == "message_not_found"
    assert refused(web.chat_update, channel=general, ts=theirs.ts, text="x")["error"] == "cant_update_message"
    assert refused(web.chat_delete, channel=general, ts=theirs.ts)["error"] == "cant_delete_message"
    assert refused(web.chat_postMessage, channel=general, text="x", thread_ts="1.2")["error"] == "thread_not_found"
    quiet = running.workspace.add_channel("quiet-api")
    hidden = running.workspace.add_channel("hidden-api", is_private=True)
    assert refused(web.chat_postMessage, channel=quiet, text="x")["error"] == "not_in_channel"
    assert refused(web.conversations_history, channel=quiet)["error"] == "not_in_channel"
    assert refused(web.chat_postMessage, channel=hidden, text="x")["error"] == "channel_not_found"


def test_missing_scopes_say_what_is_needed() -> None:
    manifest = json.loads(json.dumps(MANIFEST))
    manifest["oauth_config"]["scopes"]["bot"] = ["chat:write", "channels:history"]
    running = Running(manifest=manifest)
    try:
        answer = refused(running.web.files_getUploadURLExternal, filename="a.png", length=3)
        assert (answer["error"], answer["needed"]) == ("missing_scope", "files:write")
        assert answer["provided"] == "channels:history,chat:write"
        ada_dm = running.ada.post("@easel", "hello").channel
        assert refused(running.web.conversations_history, channel=ada_dm)["needed"] == "im:history"
    finally:
        running.stop()


LABEL = {"type": "plain_text", "text": "x"}
BUTTON = {"type": "button", "action_id": "a", "text": LABEL}
OPTIONS = [{"text": {"type": "plain_text", "text": str(number)}, "value": str(number)} for number in range(101)]
LONG_SELECT = {"type": "static_select", "action_id": "a", "options": OPTIONS}
FILE_INPUT = {"type": "input", "label": LABEL, "element": {"type": "file_input", "action_id": "a"}}


@pytest.mark.parametrize(
    ("blocks", "pointer", "sentence"),
    [
        ([{"type": "divider"}] * 51, "/blocks", "no more than 50 items allowed"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "/blocks/0/text/text", "than 3001"),
        ([{"type": "header", "text": LABEL | {"text": "x" * 151}}], "/blocks/0/text/text", "than 151"),
        ([{"type": "section"}], "/blocks/0", "missing required field: text"),
        ([{"type": "nothing"}], "/blocks/0/type", "unsupported type: nothing"),
        ([{"type": "divider", "block_id": "a"}] * 2, "/blocks/1/block_id", "already exists"),
        ([image_block("F404")], "/blocks/0/slack_file", "invalid slack file"),
        ([{"type": "actions", "elements": [BUTTON] * 2}], "/blocks/0/elements/1/action_id", "already exists"),
        ([{"type": "actions", "elements": [BUTTON] * 26}], "/blocks/0/elements", "no more than 25 items allowed"),
        ([{"type": "actions", "elements": [LONG_SELECT]}], "/blocks/0/elements/0/options", "no more than 100 items"),
        ([FILE_INPUT], "/blocks/0/element/type", "unsupported type: file_input"),
        (
            [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}],
            "/blocks/0/rows/0",
            "no more than 20",
        ),
    ],
)
def test_broken_blocks_are_pointed_at(
    running: Running, general: str, blocks: list[dict[str, Any]], pointer: str, sentence: str
) -> None:
    answer = refused(running.web.chat_postMessage, channel=general, text="x", blocks=blocks)
    assert answer["error"] == "invalid_blocks"
    messages = answer["response_metadata"]["messages"]
    assert any(f"[json-pointer:{pointer}]" in message and sentence in message for message in messages), messages


def test_a_message_has_one_table(running: Running, general: str) -> None:
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "Steps"}], [{"type": "raw_text", "text": "300"}]]}
    posted = running.web.chat_postMessage(channel=general, text="settings", blocks=[table])
    assert posted["message"]["blocks"][0]["rows"] == table["rows"]
    answer = refused(running.web.chat_postMessage, channel=general, text="x", blocks=[table, table])
    assert answer["error"] == "invalid_attachments"
    assert answer["response_metadata"]["messages"] == ["only_one_table_allowed"]


def test_a_file_is_processed_before_a_block_may_show_it(running: Running, general: str) -> None:
    running.workspace.set_file_processing(0.4)
    content = png()
    upload = running.web.files_getUploadURLExternal(filename="a.png", length=len(content), alt_txt="blue")
    request = urllib.request.Request(upload["upload_url"], content, method="POST")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
    running.web.files_completeUploadExternal(files=[{"id": upload["file_id"], "title": "A"}])
    blocks = [image_block(upload["file_id"])]
    assert running.web.files_info(file=upload["file_id"])["file"]["mimetype"] == ""
    early = refused(running.web.chat_postMessage, channel=general, text="x", blocks=blocks)
    assert early["response_metadata"]["messages"] == ["[ERROR] invalid slack file [json-pointer:/blocks/0/slack_file]"]
    file = running.workspace.wait_for(
        lambda: next((f for f in running.workspace.files() if f["id"] == upload["file_id"] and f["mimetype"]), None)
    )
    assert (file["mimetype"], file["original_w"], file["original_h"], file["alt_txt"]) == ("image/png", 40, 30, "blue")
    assert running.web.chat_postMessage(channel=general, text="x", blocks=blocks)["ok"]
    by_url = {"type": "image", "slack_file": {"url": file["url_private"]}, "alt_text": "x"}
    assert running.web.chat_postMessage(channel=general, text="x", blocks=[by_url])["ok"]
    running.workspace.clear_faults()


def test_files_upload_v2_shares_in_a_thread_after_processing(running: Running, general: str) -> None:
    parent = running.ada.post("#general", "pictures, please")
    uploaded = running.web.files_upload_v2(
        channel=general,
        thread_ts=parent.ts,
        initial_comment="here",
        file_uploads=[{"content": png(), "filename": "a.png"}, {"content": png(8, 8), "filename": "b.png"}],
    )
    assert len(uploaded["files"]) == 2
    shared = running.ada.wait_for_message("#general", lambda message: message.files, thread_ts=parent.ts)
    assert shared.text == "here" and [file["name"] for file in shared.files] == ["a.png", "b.png"]
    file_id = shared.files[0]["id"]
    info = running.web.files_info(file=file_id)["file"]
    assert info["shares"]["public"][general][0]["thread_ts"] == parent.ts
    assert running.workspace.download(file_id) == png()
    private = httpx.get(info["url_private"])
    assert private.status_code == 403
    token = {"Authorization": f"Bearer {BOT_TOKEN}"}
    assert httpx.get(info["url_private"], headers=token).content == png()
    running.web.files_delete(file=file_id)
    assert refused(running.web.files_info, file=file_id)["error"] == "file_deleted"
    assert httpx.get(info["url_private"], headers=token).status_code == 404
    assert running.ada.messages("#general", parent.ts)[1].files[0]["mode"] == "tombstone"


def test_an_upload_of_the_wrong_size_is_refused(running: Running) -> None:
    upload = running.web.files_getUploadURLExternal(filename="a.png", length=10)
    assert httpx.post(upload["upload_url"], content=b"short").status_code == 400
    assert (
        refused(running.web.files_completeUploadExternal, files=[{"id": upload["file_id"]}])["error"]
        == "file_not_found"
    )
    assert refused(running.web.files_getUploadURLExternal, filename="a.png", length=0)["error"] == "invalid_arguments"


def test_posting_too_fast_answers_429_and_the_sdk_s_retry_gets_through(running: Running, general: str) -> None:
    running.workspace.set_rate_limits(1.0)
    try:
        for number in range(5):
            running.web.chat_postMessage(channel=general, text=str(number))
        with pytest.raises(SlackApiError) as caught:
            running.web.chat_postMessage(channel=general, text="too fast")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["retry-after"] == "1"
        patient = WebClient(token=BOT_TOKEN, base_url=f"{running.server.url}/api/")
        patient.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
        assert patient.chat_postMessage(channel=general, text="patient")["ok"]
    finally:
        running.workspace.set_rate_limits(None)


def test_api_faults_answer_and_end(running: Running, general: str) -> None:
    running.workspace.answer_error("chat.postMessage", "fatal_error")
    assert refused(running.web.chat_postMessage, channel=general, text="x")["error"] == "fatal_error"
    before = len(running.ada.messages("#general"))
    running.workspace.answer_status("chat.postMessage", 503, is_applied=True)
    with pytest.raises(SlackApiError) as caught:
        running.web.chat_postMessage(channel=general, text="applied")
    assert caught.value.response.status_code == 503
    assert len(running.ada.messages("#general")) == before + 1
    assert running.web.chat_postMessage(channel=general, text="fine")["ok"]
    faulty = [call for call in running.workspace.api_calls("chat.postMessage") if call.fault]
    assert [call.fault for call in faulty] == ["error", "status"]


def test_people_channels_ephemerals_reactions_and_status(running: Running, general: str) -> None:
    web, ada = running.web, running.ada
    assert web.users_info(user=ada.id)["user"]["real_name"] == "Ada Lovelace"
    assert refused(web.users_info, user="U404")["error"] == "user_not_found"
    page = web.users_list(limit=2)
    assert len(page["members"]) == 2
    assert web.users_list(limit=200, cursor=page["response_metadata"]["next_cursor"])["members"]
    guest = next(member for member in web.users_list()["members"] if member["name"] == "mira")
    assert guest["is_restricted"]
    assert {"general", "design", "random"} <= {channel["name"] for channel in web.conversations_list()["channels"]}
    assert ada.id in web.conversations_members(channel=general)["members"]
    direct = web.conversations_open(users=ada.id)["channel"]["id"]
    web.chat_postMessage(channel=ada.id, text="psst")
    assert ada.messages("@easel")[-1].text == "psst" and ada.messages("@easel")[-1].channel == direct
    web.chat_postEphemeral(channel=general, user=ada.id, text="only you")
    assert ada.ephemerals("#general")[-1].text == "only you"
    assert (
        refused(web.chat_postEphemeral, channel=general, user=guest["id"], text="x")["error"] == "user_not_in_channel"
    )
    message = ada.post("#general", "nice")
    web.reactions_add(channel=general, timestamp=message.ts, name="art")
    assert refused(web.reactions_add, channel=general, timestamp=message.ts, name="art")["error"] == "already_reacted"
    web.assistant_threads_setStatus(channel_id=general, thread_ts=message.ts, status="is painting…")
    assert ada.status("#general", message.ts) == "is painting…"
    web.chat_postMessage(channel=general, thread_ts=message.ts, text="done")
    assert ada.status("#general", message.ts) == ""


def test_other_websites_are_kept_out(running: Running) -> None:
    url = running.server.url
    assert httpx.get(f"{url}/control", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(url, headers={"Host": f"evil.example:{running.server.port}"}).status_code == 403
    foreign = {"Origin": "http://evil.example"}
    assert httpx.post(f"{url}/control/faults", json={}, headers=foreign).status_code == 403
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert httpx.get(f"{url}/control/log", headers=cross).status_code == 403
    plain_form = httpx.post(f"{url}/control/faults", content="{}", headers={"content-type": "text/plain"})
    assert plain_form.status_code == 400
    page = httpx.get(url)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "samesite=strict" in page.headers["set-cookie"].lower()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "elements", "element", "accessory", "options", "fields", "label", "rows"])
            | st.text(max_size=4),
            inner
            | st.sampled_from(
                ["section", "actions", "input", "button", "static_select", "image", "table", "mrkdwn", "modal"]
            ),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks=st.lists(json_values, max_size=4))
def test_any_json_as_blocks_is_judged_without_an_error(blocks: list[Any]) -> None:
    assert all("[json-pointer:/" in message for message in check_message_blocks(blocks, lambda file: False))
    assert all(
        "[json-pointer:/" in message for message in check_view({"type": "modal", "blocks": blocks}, lambda file: True)
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(sorted(set(METHODS) - {"files.delete", "chat.delete"})),
    arguments=st.dictionaries(
        st.sampled_from(
            [
                "channel",
                "channel_id",
                "users",
                "user",
                "user_id",
                "ts",
                "thread_ts",
                "text",
                "blocks",
                "attachments",
                "metadata",
                "view",
                "trigger_id",
                "files",
                "file",
                "name",
                "timestamp",
                "limit",
                "cursor",
                "latest",
                "oldest",
                "types",
                "length",
                "filename",
                "status",
                "page",
                "count",
                "message_ts",
                "view_id",
                "file_ids",
            ]
        ),
        json_values
        | st.sampled_from(["C0EA000009", "U0EASELBOT", "at:9", "at:x", "[]", "[1]", "{}", "[{}]", '{"type":"home"}']),
        max_size=6,
    ),
)
def test_any_arguments_get_slack_s_kind_of_answer(running: Running, method: str, arguments: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    response = FUZZ_CLIENT.post(f"{running.server.url}/api/{method}", json=arguments, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["ok"] in {True, False}


def test_file_bytes_kept_in_a_folder_are_removed_at_the_end(tmp_path: Any) -> None:
    running = Running(file_folder=tmp_path / "files")
    (tmp_path / "files" / "of-somebody-else").write_text("stays")
    picture = tmp_path / "a.png"
    picture.write_bytes(png())
    shared = running.ada.upload_file("#general", picture)
    assert running.workspace.download(shared.files[0]) == png()
    assert len(list((tmp_path / "files").iterdir())) == 2
    started = time.monotonic()
    running.stop()
    assert time.monotonic() - started < 3
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["of-somebody-else"]
