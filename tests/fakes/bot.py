"""Fakes of the bot's ports that behave: state to look at, no expectations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.invocation import Invocation
from bot.ports.backend import AcceptedJob, ApiRefused, Caller, Credentials, Model, PictureGone
from bot.ports.queue import QueueUnavailable
from bot.ports.records import Json, Record
from bot.ports.slack import FileTooLarge, SlackFile, SlackRefused, UploadTicket
from commands.views.blocks import Message
from tests.fakes.bot_access import FakeAccess, FakeIam, caller_of
from tests.fakes.bot_registry import FakeRegistry

START = 1_764_000_000.0
BUCKET = "pictures"
PNG = b"\x89PNG\r\n\x1a\n" + b"painted" * 20


class FakeClock:
    """Stands still unless someone sleeps."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        """Unix seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Moves time."""
        self.time += seconds


class FakeInvocationQueue:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Invocation] = []
        self.is_down = False

    def send(self, invocation: Invocation) -> None:
        """Through JSON, as SQS would."""
        if self.is_down:
            raise QueueUnavailable("down")
        self.sent.append(Invocation.from_json(invocation.to_json()))


class FakeRecordStore:
    """A dictionary with versions."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[str, int]] = {}

    def get(self, key: str) -> Record | None:
        """The newest version, or None."""
        item = self.items.get(key)
        return Record(json.loads(item[0]), item[1]) if item else None

    def create(self, key: str, data: Json, expires_at: int) -> bool:
        """Store version 1; False where the key exists."""
        if key in self.items:
            return False
        self.items[key] = (json.dumps(data), 1)
        return True

    def replace(self, key: str, data: Json, version: int, expires_at: int) -> bool:
        """Store the next version; False where another one is stored."""
        if key not in self.items or self.items[key][1] != version:
            return False
        self.items[key] = (json.dumps(data), version + 1)
        return True


@dataclass
class Posted:
    """A message in the fake Slack, with everything that it has shown."""

    channel: str
    thread_ts: str | None
    ts: str
    request_key: str
    views: list[Message]
    is_deleted: bool = False

    @property
    def view(self) -> Message:
        """What it shows now."""
        return self.views[-1]

    def says(self, text: str) -> bool:
        """Whether the text stands anywhere in it now."""
        return text in json.dumps(self.view.to_json(), ensure_ascii=False)

    @property
    def file_ids(self) -> list[str]:
        """The files that it shows now."""
        return [block["slack_file"]["id"] for block in self.view.blocks if block["type"] == "image"]

    def button_value(self, action_id: str) -> str:
        """What the button carries; raises `KeyError`."""
        for block in self.view.blocks:
            for element in block.get("elements", []):
                if element.get("action_id") == action_id:
                    return str(element["value"])
        raise KeyError(action_id)


@dataclass
class Uploaded:
    """A file in the fake Slack."""

    name: str
    size: int
    alt_text: str
    content: bytes | None = None
    is_complete: bool = False
    shared_in: list[tuple[str, str | None]] = field(default_factory=list)
    polls: int = 0
    is_deleted: bool = False


@dataclass
class TheirFile:
    """A file that somebody has uploaded."""

    name: str
    content: bytes
    mimetype: str = "image/png"
    is_deleted: bool = False
    is_hidden: bool = False
    """The bot may not see it."""


class FakeSlack:
    """Channels, messages and files. A file is ready at the second look at it."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.messages: list[Posted] = []
        self.told: list[tuple[str, Message]] = []
        self.replaced: list[tuple[str, Message]] = []
        self.dead_response_urls: set[str] = set()
        self.usergroups: dict[str, set[str]] = {}
        self.usergroups_problem: Exception | None = None
        self.usergroups_asked = 0
        self.files: dict[str, Uploaded] = {}
        self.closed_channels: set[str] = set()
        self.refuses_files_in_blocks = False
        self.never_ready = False
        self.their_files: dict[str, TheirFile] = {}
        self.threads: dict[tuple[str, str], list[str]] = {}
        self.views: dict[str, list[Json]] = {}
        """What each open modal has shown."""
        self.people_files: dict[str, bytes] = {}

    # messages

    def post(self, channel: str, thread_ts: str | None, message: Message, request_key: str) -> str:
        """Post."""
        self._check_channel(channel)
        self._check_files(message)
        ts = f"{self._clock.now():.0f}.{len(self.messages) + 1:06d}"
        self.messages.append(Posted(channel, thread_ts, ts, request_key, [message]))
        return ts

    def find(self, channel: str, thread_ts: str | None, request_key: str, since: float) -> str | None:
        """Look through the channel or thread."""
        for posted in self.messages:
            if (posted.channel, posted.thread_ts, posted.request_key) == (channel, thread_ts, request_key):
                return None if posted.is_deleted else posted.ts
        return None

    def update(self, channel: str, ts: str, message: Message, is_urgent: bool = True) -> None:
        """Change a message."""
        posted = self.message(ts)
        if posted.is_deleted:
            raise SlackRefused("message_not_found")
        self._check_files(message)
        posted.views.append(message)

    def tell(self, channel: str, thread_ts: str | None, member: str, message: Message) -> None:
        """Show to one."""
        self._check_channel(channel)
        self._check_files(message)
        self.told.append((member, message))

    def respond(self, response_url: str, message: Message, replaces: bool = False) -> None:
        """Show to whoever has the URL."""
        if response_url in self.dead_response_urls:
            raise SlackRefused("response_url_404")
        self._check_files(message)
        (self.replaced if replaces else self.told).append((response_url, message))

    def write_to(self, member: str, message: Message) -> None:
        """A direct message."""
        self._check_files(message)
        self.told.append((f"@{member}", message))

    # people

    def list_usergroups(self) -> dict[str, frozenset[str]]:
        """All of them."""
        self.usergroups_asked += 1
        if self.usergroups_problem is not None:
            raise self.usergroups_problem
        return {group: frozenset(members) for group, members in self.usergroups.items()}

    # what people have uploaded

    # files

    def reserve(self, name: str, size_bytes: int, alt_text: str) -> UploadTicket:
        """Announce a file."""
        file_id = f"F{len(self.files) + 1:04d}"
        self.files[file_id] = Uploaded(name, size_bytes, alt_text)
        return UploadTicket(file_id, f"https://files.example/{file_id}")

    def send(self, ticket: UploadTicket, name: str, content: bytes) -> None:
        """Its bytes."""
        uploaded = self.files[ticket.file_id]
        assert len(content) == uploaded.size
        uploaded.content = content

    def complete(self, file_id: str, title: str, channel: str | None = None, thread_ts: str | None = None) -> None:
        """Finish it."""
        uploaded = self.files[file_id]
        if uploaded.content is None:
            raise SlackRefused("file_not_found")
        uploaded.is_complete = True
        if channel is not None:
            uploaded.shared_in.append((channel, thread_ts))

    def is_ready(self, file_id: str) -> bool:
        """At the second look."""
        uploaded = self.files[file_id]
        uploaded.polls += 1
        return uploaded.is_complete and uploaded.polls > 1 and not self.never_ready

    def is_shared(self, file_id: str) -> bool:
        """Whether it is anywhere."""
        return bool(self.files[file_id].shared_in)

    def delete(self, file_id: str) -> None:
        """Delete it."""
        self.files[file_id].is_deleted = True

    # what people have uploaded, and modals

    def look_at(self, file_id: str) -> SlackFile:
        """A file's facts."""
        if file_id in self.people_files:
            content = self.people_files[file_id]
            self.their_files[file_id] = TheirFile(f"{file_id}.safetensors", content, "application/octet-stream")
        file = self.their_files.get(file_id)
        if file is None or file.is_hidden:
            raise SlackRefused("file_not_found")
        url = f"https://files.slack.com/{file_id}"
        return SlackFile(file_id, file.name, file.mimetype, len(file.content), url, file.is_deleted)

    def download(self, file: SlackFile, most_bytes: int) -> bytes:
        """Its bytes."""
        content = self.their_files[file.file_id].content
        if len(content) > most_bytes:
            raise FileTooLarge
        return content

    def pictures_in_thread(self, channel: str, root_ts: str) -> list[SlackFile]:
        """All of them."""
        self._check_channel(channel)
        return [self.look_at(file_id) for file_id in self.threads.get((channel, root_ts), [])]

    def update_view(self, view_id: str, view: Json) -> None:
        """One that is open."""
        if view_id not in self.views:
            raise SlackRefused("not_found")
        for block in view["blocks"]:
            if block["type"] == "image" and self.refuses_files_in_blocks:
                raise SlackRefused("invalid_arguments")
        self.views[view_id].append(json.loads(json.dumps(view)))

    # looks

    def message(self, ts: str) -> Posted:
        """The message with this ts."""
        return next(posted for posted in self.messages if posted.ts == ts)

    @property
    def shown_files(self) -> list[str]:
        """The files that messages show now."""
        return [file_id for posted in self.messages if not posted.is_deleted for file_id in posted.file_ids]

    def _check_channel(self, channel: str) -> None:
        if channel in self.closed_channels:
            raise SlackRefused("not_in_channel")

    def _check_files(self, message: Message) -> None:
        for block in message.blocks:
            if block["type"] == "image":
                uploaded = self.files.get(block["slack_file"]["id"])
                if self.refuses_files_in_blocks or uploaded is None or not uploaded.is_complete or uploaded.polls < 2:
                    raise SlackRefused("invalid_blocks")


class FakeBackendApi:
    """Jobs by idempotency key, as the real backend keeps them, for whoever IAM lets through and limits allow."""

    def __init__(self, iam: FakeIam, access: FakeAccess, registry: FakeRegistry) -> None:
        self._iam = iam
        self._access = access
        self._registry = registry
        self.jobs: dict[str, Json] = {}
        self.deleted: list[str] = []
        self.finished: set[str] = set()
        self.models = [Model("tiny", "Tiny", 1), Model("large", "Large one", 0)]
        self.base_models = {"tiny": "tiny-world", "large": "large-world"}
        self.refusal: ApiRefused | None = None

    def submit_job(self, credentials: Credentials, endpoint: str, body: Json) -> AcceptedJob:
        """The same key from the same workspace is the same job; with another body it is a conflict."""
        self._iam.check(credentials, f"POST/endpoints/{endpoint}/jobs")
        if self.refusal is not None:
            raise self.refusal
        names = [model.name for model in self.models]
        if endpoint not in names:
            raise ApiRefused(404, {"code": "endpoint_not_found", "message": "no", "available": names})
        assert json.loads(json.dumps(body)) == body
        caller = caller_of(credentials)
        tenant, member = caller.team, caller.member
        digest = hashlib.sha256(f"{tenant}|{body['idempotency_key']}".encode()).hexdigest()[:26]
        job_id = f"job-{digest}"
        known = self.jobs.get(job_id)
        if known is not None and known["body"] != body:
            raise ApiRefused(409, {"code": "idempotency_conflict", "message": "conflict"})
        job = {"body": body, "endpoint": endpoint, "tenant": tenant, "member": member, "channel": caller.channel}
        if known is None:
            job["loras"] = self._registry.choose(caller, body.get("loras") or [], self.base_models.get(endpoint, ""))
        if known is None:
            self._count(caller, body)
        self.jobs.setdefault(job_id, job)
        return AcceptedJob(job_id, "queued", endpoint, "tiny-world", self.settings(job_id))

    def _count(self, caller: Caller, body: Json) -> None:
        limit, wanted = self._access.allowed_images(caller), body.get("pictures") or 1
        if limit is not None and limit.used + wanted > limit.most:
            facts = limit.model_dump(mode="json")
            raise ApiRefused(429, {"code": "limit_reached", "message": "no more today", "limit": facts})
        self._access.used["images_per_day"] = self._access.used.get("images_per_day", 0) + wanted

    def cancel_job(self, credentials: Credentials, job_id: str) -> bool:
        """Unless a test says that it has finished."""
        self._iam.check(credentials, f"DELETE/jobs/{job_id}")
        if job_id not in self.jobs:
            raise ApiRefused(404, {"code": "job_not_found", "message": "none"})
        if job_id in self.finished:
            return False
        if job_id not in self.deleted:
            self.deleted.append(job_id)
        return True

    def delete_job(self, credentials: Credentials, job_id: str) -> None:
        """Gone."""
        self._iam.check(credentials, f"DELETE/jobs/{job_id}")
        if job_id not in self.jobs:
            raise ApiRefused(404, {"code": "job_not_found", "message": "none"})
        self.deleted.append(job_id)

    def see_job(self, credentials: Credentials, job_id: str) -> None:
        """If it was submitted."""
        self._iam.check(credentials, f"GET/jobs/{job_id}")
        if job_id not in self.jobs:
            raise ApiRefused(404, {"code": "job_not_found", "message": "none"})

    def list_models(self, credentials: Credentials) -> list[Model]:
        """All."""
        self._iam.check(credentials, "GET/endpoints")
        return self.models

    def settings(self, job_id: str) -> Json:
        """A job's settings with every default filled in."""
        body = self.jobs[job_id]["body"]
        seed = body.get("seed")
        if seed is None:
            seed = int(hashlib.sha256(job_id.encode()).hexdigest()[:6], 16)
        width, height = body.get("width") or 128, body.get("height") or 128
        if body.get("aspect_ratio") == "3:2":
            width, height = 192, 128
        return {
            "prompt": body["prompt"],
            "negative_prompt": body.get("negative_prompt") or "",
            "width": width,
            "height": height,
            "seeds": [(seed + index) % 2**32 for index in range(body.get("pictures") or 1)],
            "steps": body.get("steps") or 20,
            "guidance_scale": body.get("guidance_scale") or 7.5,
            "loras": self.jobs[job_id]["loras"],
        }

    def event(self, job_id: str, kind: str, **facts: Any) -> Json:
        """The EventBridge envelope that the backend would send about a job."""
        job = self.jobs[job_id]
        settings = self.settings(job_id)
        prefix = f"tenants/{job['tenant']}/jobs/{job_id}/"
        side = {"width": settings["width"], "height": settings["height"], "bytes": len(PNG)}
        if kind == "JobSucceeded":
            facts = {
                "pictures": [
                    {"bucket": BUCKET, "key": f"{prefix}{index}.png", "seed": seed, **side}
                    for index, seed in enumerate(settings["seeds"])
                ],
                "grid": {"bucket": BUCKET, "key": f"{prefix}grid.png", **side} if len(settings["seeds"]) > 1 else None,
                "model_seconds": 1.25,
                **facts,
            }
        if kind == "JobFailed":
            facts = {"failure": {"code": "model_failed", "message": "x", "reference": "ref12"}, **facts}
        detail = {
            "version": 1,
            "event_id": f"{job_id}-{kind}-{facts.get('step', '')}",
            "job_id": job_id,
            "endpoint": job["endpoint"],
            "model": "tiny-world",
            "owner": {"tenant": job["tenant"], "member": job["member"]},
            "settings": settings,
            "context": job["body"]["context"],
            "created_at": "2026-11-23T16:00:00Z",
            "at": "2026-11-23T16:00:05Z",
            **facts,
        }
        return {"version": "0", "source": "easel.backend", "detail-type": kind, "detail": detail}


class FakePictures:
    """Every key of the bucket has a picture, unless it is deleted."""

    def __init__(self) -> None:
        self.gone = False

    def read(self, bucket: str, key: str) -> bytes:
        """A PNG that says which."""
        if self.gone or bucket != BUCKET:
            raise PictureGone(key)
        return PNG + key.encode()


class Crash(BaseException):
    """The process died: no handler of the code under test may catch it."""


class CrashPlan:
    """Dies at the n-th call of any port, before or after its effect. `at` None: never."""

    def __init__(self, at: int | None = None, is_after: bool = False) -> None:
        self.at = at
        self.is_after = is_after
        self.calls = 0

    def wrap(self, port: Any) -> Any:
        """The port, with every method counted."""
        return _Watched(port, self)


class _Watched:
    def __init__(self, port: Any, plan: CrashPlan) -> None:
        self._port = port
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if not callable(attribute):
            return attribute
        return self._counted(attribute)

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            plan = self._plan
            plan.calls += 1
            is_mine = plan.calls == plan.at
            if is_mine and not plan.is_after:
                raise Crash
            try:
                return method(*args, **kwargs)
            finally:
                if is_mine:
                    raise Crash

        return call
