"""A Python client of the local workspace: act as any member, switch faults on, measure. See docs/local-workspace.md."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import httpx

from deploy.local.slack.acting_member import ActingMember
from deploy.local.slack.client_types import DEFAULT_WAIT_SECONDS, Delivery, LoggedCall, WaitTimeout, WorkspaceRefused

__all__ = ["ActingMember", "LocalWorkspace", "WaitTimeout", "WorkspaceRefused"]

Found = TypeVar("Found")
CALL_SECONDS = 75.0


class LocalWorkspace:
    """A running local workspace, by its address. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=CALL_SECONDS, trust_env=False)
        # The page's session is what lets a member download private files.
        self._http.get("/").raise_for_status()

    def __enter__(self) -> LocalWorkspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def as_member(self, name: str) -> ActingMember:
        """Act as this member (a name such as `ada`, or an id)."""
        return ActingMember(self, name)

    def info(self) -> dict[str, Any]:
        """The team, the app, all members and all channels."""
        return self.call("GET", "")

    def channel_id(self, name: str) -> str:
        """The id of a channel by `#name`; raises `WorkspaceRefused`."""
        wanted = name.removeprefix("#")
        for channel in self.info()["channels"]:
            if wanted in {channel["id"], channel.get("name")}:
                return str(channel["id"])
        raise WorkspaceRefused("channel_not_found", name)

    def user_id(self, name: str) -> str:
        """The id of a member by name; raises `WorkspaceRefused`."""
        for member in self.info()["members"]:
            if name.removeprefix("@") in {member["id"], member["name"]}:
                return str(member["id"])
        raise WorkspaceRefused("user_not_found", name)

    def start_over(self) -> None:
        """Forget everything that happened: members, channels and files as at the start. The app's address stays."""
        self.call("POST", "/start_over", {})

    def set_request_url(self, url: str | None) -> None:
        """Where everything is delivered from now on (None: to the URLs in the manifest)."""
        self.call("PUT", "/app", {"request_url": url})

    def verify_request_url(self) -> bool:
        """Send Slack's `url_verification`; whether the app answered it."""
        return bool(self.call("POST", "/app/verify", {})["ok"])

    def set_redirect_urls(self, *urls: str) -> None:
        """Where the app may send people back to after they allowed it (the manifest's `redirect_urls` otherwise)."""
        self.call("PUT", "/app", {"redirect_urls": list(urls)})

    def uninstall_app(self, order: list[str] | None = None) -> None:
        """Uninstall the app: its tokens are refused, and `app_uninstalled` and `tokens_revoked` go out in this order.

        Where the app is installed for the whole organisation, it is taken out of the organisation.
        """
        self.call("POST", "/app/uninstall", {"order": order})

    def reinstall_app(self) -> None:
        """Install it by hand, with the token that the workspace was started with."""
        self.call("POST", "/app/reinstall", {})

    def authorize_app(
        self, authorize_url: str, member: str = "ada", is_allowed: bool = True, is_org_wide: bool = False
    ) -> str:
        """Decide on Slack's page at this address, as a member; where the browser goes then.

        Raises `WorkspaceRefused`: a guest may not, the redirect address or the client id is wrong.
        """
        body = {
            "authorize_url": authorize_url,
            "member": member,
            "is_allowed": is_allowed,
            "is_org_wide": is_org_wide,
        }
        return str(self.call("POST", "/app/authorize", body)["redirect_url"])

    def expire_tokens(self) -> None:
        """Every token of the app here that would end some time ends now."""
        self.call("POST", "/app/expire_tokens", {})

    def add_channel(
        self, name: str, members: list[str] | None = None, is_private: bool = False, creator: str = "ada"
    ) -> str:
        """Add a channel with these members (the app is one only when named) and return its id."""
        body = {"name": name, "members": members or [], "is_private": is_private, "creator": creator}
        return str(self.call("POST", "/channels", body)["channel"]["id"])

    def add_member(
        self,
        name: str,
        real_name: str | None = None,
        channels: list[str] | None = None,
        is_guest: bool = False,
        is_admin: bool = False,
        team_id: str | None = None,
    ) -> str:
        """Add a member and return their id; with `team_id`, somebody of that workspace, here in shared channels."""
        body = {
            "name": name,
            "real_name": real_name,
            "channels": channels or [],
            "is_guest": is_guest,
            "is_admin": is_admin,
            "team_id": team_id,
        }
        return str(self.call("POST", "/members", body)["member"]["id"])

    def add_usergroup(self, handle: str, users: list[str]) -> str:
        """Add a user group and return its id."""
        return str(self.call("POST", "/usergroups", {"handle": handle, "users": users})["usergroup"]["id"])

    def set_membership(self, channel: str, member: str, is_member: bool, by: str = "ada") -> None:
        """Add a member or the app to a channel, or take them out."""
        self.call("POST", "/membership", {"channel": channel, "member": member, "is_member": is_member, "by": by})

    # Faults

    def drop_acks(self, count: int = 1, kind: str | None = None) -> None:
        """The app gets the next deliveries, but its answers never arrive. `kind`: command, event or interaction."""
        self.call("POST", "/faults", {"fault": "drop_ack", "count": count, "kind": kind})

    def lose_deliveries(self, count: int = 1, kind: str | None = None) -> None:
        """The app never gets the next deliveries."""
        self.call("POST", "/faults", {"fault": "lose", "count": count, "kind": kind})

    def delay_deliveries(self, seconds: float, count: int = 1, kind: str | None = None) -> None:
        """The next deliveries are on their way for so long, already signed; Slack's patience runs meanwhile."""
        self.call("POST", "/faults", {"fault": "delay", "seconds": seconds, "count": count, "kind": kind})

    def repeat_deliveries(self, times: int = 2, count: int = 1, kind: str | None = None) -> None:
        """The next deliveries arrive so many times each, at once."""
        self.call("POST", "/faults", {"fault": "repeat", "times": times, "count": count, "kind": kind})

    def answer_status(
        self, method: str, status: int = 429, count: int = 1, retry_after: int = 1, is_applied: bool = False
    ) -> None:
        """Answer the next calls of a Web API method (`*`: any) with an HTTP status, 429 with `Retry-After`.

        With `is_applied` the call takes effect and only its answer is lost.
        """
        body = {
            "fault": "status",
            "method": method,
            "status": status,
            "count": count,
            "retry_after": retry_after,
            "is_applied": is_applied,
        }
        self.call("POST", "/faults", body)

    def answer_error(
        self, method: str, error: str = "internal_error", count: int = 1, is_applied: bool = False
    ) -> None:
        """Answer the next calls of a Web API method (`*`: any) with a Slack error."""
        body = {"fault": "error", "method": method, "error": error, "count": count, "is_applied": is_applied}
        self.call("POST", "/faults", body)

    def set_file_processing(self, seconds: float) -> None:
        """How long uploaded files take to be processed from now on."""
        self.call("PUT", "/settings", {"file_processing_seconds": seconds})

    def set_rate_limits(self, factor: float | None) -> None:
        """Multiply Slack's rate limits, from now on; None switches them off."""
        self.call("PUT", "/settings", {"rate_limit_factor": factor})

    def clear_faults(self) -> None:
        """Switch all faults off and process files as quickly as at the start."""
        self.call("DELETE", "/faults")

    # What happened

    def deliveries(self, kind: str | None = None, subject: str | None = None) -> list[Delivery]:
        """What was sent to the app, oldest first."""
        entries = [Delivery.read(entry) for entry in self.call("GET", "/log")["deliveries"]]
        return [entry for entry in entries if kind in {None, entry.kind} and subject in {None, entry.subject}]

    def api_calls(self, method: str | None = None) -> list[LoggedCall]:
        """What the app called, oldest first."""
        entries = [LoggedCall.read(entry) for entry in self.call("GET", "/log")["api_calls"]]
        return [entry for entry in entries if method in {None, entry.method}]

    def clear_log(self) -> None:
        """Forget what happened so far."""
        self.call("DELETE", "/log")

    def files(self) -> list[dict[str, Any]]:
        """All file objects of the workspace, oldest first."""
        return list(self.call("GET", "/files")["files"])

    def download(self, file: dict[str, Any] | str) -> bytes:
        """The bytes of a file, by its object or id."""
        if isinstance(file, str):
            file = self.call("GET", f"/files?id={file}")["files"][0]
        assert isinstance(file, dict)
        response = self._http.get(file["url_private_download"])
        if response.status_code != 200:
            raise WorkspaceRefused("file_not_found", str(file.get("id")))
        return response.content

    def wait_for(
        self, look: Callable[[], Found], timeout: float = DEFAULT_WAIT_SECONDS, what: str = "what the script waits for"
    ) -> Found:
        """Call `look` after every change until it returns something true, and return that; raises `WaitTimeout`."""
        deadline = time.monotonic() + timeout
        number = 0
        while True:
            number = int(self.call("GET", f"/changes?since={number}")["number"])
            found = look()
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(f"after {timeout:g} s there was no {what}")
            # Not every change is announced (the log's aren't), so look again now and then.
            self.call("GET", f"/changes?since={number}&timeout_seconds={min(left, 0.25):.3f}")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call of the control API; raises `WorkspaceRefused`."""
        json_body = body if method in {"POST", "PUT"} else None
        params = body if method == "DELETE" and body else None
        response = self._http.request(method, f"/control{path}", json=json_body, params=params)
        return self.read_answer(response)

    def upload(self, path: str, filename: str, content: bytes, title: str) -> dict[str, Any]:
        """Send a file to a control route; raises `WorkspaceRefused`."""
        response = self._http.post(f"/control{path}", files={"file": (filename, content)}, data={"title": title})
        return self.read_answer(response)

    @staticmethod
    def read_answer(response: httpx.Response) -> dict[str, Any]:
        """The answer's JSON; raises `WorkspaceRefused`."""
        if response.status_code == 200:
            return dict(response.json())
        try:
            answer = response.json()
        except ValueError:
            answer = {"error": f"http_{response.status_code}", "text": response.text[:200]}
        raise WorkspaceRefused(answer.get("error", "unknown"), answer.get("text", ""))
