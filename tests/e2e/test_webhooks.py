"""Webhooks on the deployed stack: another system of the account registers, paints, and is told."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from backend_lambda.contract.events import SOURCE, JobCancelled
from backend_lambda.contract.jobs import Owner
from deploy.local.stack import GATEWAY, REGION, LocalStack
from tests.contract.test_backend_event_bus import FACTS
from tests.fakes.local_aws import ACCOUNT, policy, wait_for
from tests.fakes.webhook_receiver import Arrival, Told, WebhookReceiver
from tests.unit.backend.test_api_docs import examples

pytestmark = pytest.mark.stack

PATIENCE_SECONDS = 60.0
TENANT = f"iam-{ACCOUNT}-user:render-farm"
ROUTES = ("POST/endpoints/*/jobs", "GET/jobs/*", "*/webhooks", "*/webhooks/*")


class System:
    """Another system: IAM users of the account, and what it is told."""

    def __init__(self, stack: LocalStack, receiver: WebhookReceiver) -> None:
        self.stack = stack
        self.receiver = receiver
        self.keys: dict[str, Credentials] = {}
        self._seen = 0

    def add_user(self, name: str, *routes: str) -> None:
        """A user who may call these routes and nothing else."""
        iam = self.stack.session().client("iam")
        iam.create_user(UserName=name)
        prefix = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.stack.outputs['ApiId']}/v1/"
        allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": [prefix + route for route in routes]}
        iam.put_user_policy(UserName=name, PolicyName="easel", PolicyDocument=policy([allow]))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        self.keys[name] = Credentials(made["AccessKeyId"], made["SecretAccessKey"])

    def call(self, method: str, path: str, body: Any = None, user: str = "render-farm") -> httpx.Response:
        """A call signed by a user."""
        content = b"" if body is None else json.dumps(body).encode()
        url = f"{self.stack.api_url}{path}"
        request = AWSRequest(method, url, data=content, headers={"Content-Type": "application/json"})
        SigV4Auth(self.keys[user], "execute-api", REGION).add_auth(request)
        return httpx.request(method, url, content=content, headers=dict(request.headers), timeout=30)

    def happens(self, event_id: str, tenant: str = TENANT) -> JobCancelled:
        """Puts an event on the bus as the backend does."""
        event = JobCancelled(event_id=event_id, **FACTS | {"owner": Owner(tenant=tenant, member="m"), "context": {}})
        entry = {
            "EventBusName": self.stack.outputs["BusName"],
            "Source": SOURCE,
            "DetailType": "JobCancelled",
            "Detail": event.model_dump_json(),
        }
        assert self.stack.session().client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
        return event

    def told(self, count: int) -> list[Arrival]:
        """The next so many deliveries."""
        arrivals = self.receiver.wait_for(self._seen + count, PATIENCE_SECONDS)[self._seen :]
        self._seen += len(arrivals)
        return arrivals

    def quiet_for(self, seconds: float) -> None:
        """Nothing is delivered."""
        time.sleep(seconds)
        assert len(self.receiver.arrivals) == self._seen

    def webhook(self) -> dict[str, Any]:
        """The one there is."""
        [found] = self.call("GET", "/webhooks").json()["webhooks"]
        return dict(found)


@pytest.fixture(scope="module")
def system(stack: LocalStack) -> Iterator[System]:
    with WebhookReceiver() as receiver:
        system = System(stack, receiver)
        system.add_user("render-farm", *ROUTES)
        system.add_user("reader", "GET/webhooks")
        yield system


@pytest.fixture
def secret(system: System) -> Iterator[str]:
    """Of a webhook that is there for one test."""
    answer = system.call("POST", "/webhooks", {"url": system.receiver.url})
    assert answer.status_code == 201, answer.text
    yield answer.json()["secret"]
    system.receiver.answers.clear()
    assert system.call("DELETE", f"/webhooks/{answer.json()['webhook_id']}").status_code == 200


@pytest.fixture(scope="module")
def verify() -> Callable[[str, dict[str, str], bytes], bool]:
    """The guide's own."""
    names: dict[str, Any] = {}
    [example] = examples("python")
    exec(example, names)
    return names["verify"]  # type: ignore[no-any-return]


def test_a_job_of_another_system_ends_and_its_webhook_is_told(
    system: System, secret: str, verify: Callable[..., bool]
) -> None:
    request = {
        "prompt": "a green star for another system",
        "steps": 4,
        "seed": 3,
        "idempotency_key": "webhook-1",
        "context": {"order": "ü-17"},
    }
    job = system.call("POST", "/endpoints/tiny/jobs", request).json()
    [arrival] = system.told(1)
    assert verify(secret, arrival.headers, arrival.body)
    body = json.loads(arrival.body)
    assert body["type"] == "JobSucceeded"
    assert body["data"]["job_id"] == job["job_id"]
    assert body["data"]["owner"] == {"tenant": TENANT, "member": "render-farm"}
    assert body["data"]["context"] == {"order": "ü-17"}
    picture = system.call("GET", f"/jobs/{job['job_id']}").json()["pictures"][0]
    assert picture["key"] == body["data"]["pictures"][0]["key"]
    assert httpx.get(picture["url"]).content.startswith(b"\x89PNG")


def test_the_guides_script_goes_from_a_request_to_a_picture(system: System, tmp_path: Path) -> None:
    script = next(example for example in examples("sh") if "my-first-star" in example)
    keys = system.keys["render-farm"]
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "API_URL": system.stack.api_url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "succeeded"), done.stdout + done.stderr
    assert (tmp_path / "star.png").read_bytes().startswith(b"\x89PNG")


def test_only_events_of_the_own_tenant_arrive_signed_and_nothing_else_verifies(
    system: System, secret: str, verify: Callable[..., bool]
) -> None:
    system.happens("e2:cancelled", tenant="T0EASEL01")
    event = system.happens("e1:cancelled")
    [arrival] = system.told(1)
    system.quiet_for(0.5)
    body = json.loads(arrival.body)
    assert (body["type"], body["timestamp"]) == ("JobCancelled", body["data"]["at"])
    assert JobCancelled.model_validate(body["data"]) == event
    assert arrival.headers["user-agent"].startswith("Easel/")
    assert verify(secret, arrival.headers, arrival.body)
    assert not verify(secret, arrival.headers, arrival.body.replace(b"e1", b"e2"))
    assert not verify(secret, arrival.headers | {"webhook-id": "msg_other"}, arrival.body)
    assert not verify(secret, arrival.headers | {"webhook-signature": "v1,"}, arrival.body)
    assert not verify("whsec_" + "A" * 44, arrival.headers, arrival.body)
    wait_for(lambda: system.webhook()["delivered_at"] is not None, PATIENCE_SECONDS)
    assert system.webhook()["failures"] == 0


def test_what_fails_is_delivered_later_under_the_same_id(
    system: System, secret: str, verify: Callable[..., bool]
) -> None:
    system.receiver.answers.append(Told(500))
    system.happens("e4:cancelled")
    arrivals = system.told(1)
    wait_for(lambda: system.webhook()["failures"] == 1, PATIENCE_SECONDS)
    assert system.webhook()["trouble"] | {"at": None} == {"at": None, "code": "status", "status": 500}
    arrivals += system.told(1)
    wait_for(lambda: system.webhook()["failures"] == 0, PATIENCE_SECONDS)
    system.quiet_for(0.5)
    assert len({arrival.headers["webhook-id"] for arrival in arrivals}) == 1
    assert len({arrival.body for arrival in arrivals}) == 1
    stamps = [int(arrival.headers["webhook-timestamp"]) for arrival in arrivals]
    assert stamps[0] + 5 <= stamps[1]
    assert all(verify(secret, arrival.headers, arrival.body) for arrival in arrivals)
    assert system.webhook()["trouble"] is None


def test_gone_disables_until_it_is_registered_again(system: System, secret: str) -> None:
    system.receiver.answers += [Told(410)]
    system.happens("e6:cancelled")
    system.told(1)
    wait_for(lambda: system.webhook()["disabled_at"] is not None, PATIENCE_SECONDS)
    assert system.webhook()["disabled_because"] == "gone"
    system.happens("e7:cancelled")
    system.quiet_for(1.5)
    again = system.call("POST", "/webhooks", {"url": system.receiver.url}).json()
    assert (again["disabled_at"], again["webhook_id"]) == (None, system.webhook()["webhook_id"])
    system.happens("e8:cancelled")
    [arrival] = system.told(1)
    assert len(arrival.headers["webhook-signature"].split()) == 2


def test_redirects_are_not_followed(system: System, secret: str) -> None:
    with WebhookReceiver() as elsewhere:
        system.receiver.answers += [Told(307, {"Location": elsewhere.url}), Told(204)]
        system.happens("e9:cancelled")
        first, second = system.told(2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert elsewhere.arrivals == []


def test_iam_decides_who_may_register(system: System) -> None:
    assert system.call("GET", "/webhooks", user="reader").json() == {"webhooks": []}
    assert system.call("POST", "/webhooks", {"url": system.receiver.url}, user="reader").status_code == 403
    assert system.call("GET", "/endpoints").status_code == 403
    unsigned = httpx.post(f"{system.stack.api_url}/webhooks", json={"url": system.receiver.url})
    assert unsigned.status_code == 403


def test_another_systems_webhook_can_neither_be_seen_nor_deleted(system: System, secret: str) -> None:
    webhook_id = system.webhook()["webhook_id"]
    system.add_user("another", "*/webhooks", "*/webhooks/*")
    assert system.call("GET", "/webhooks", user="another").json() == {"webhooks": []}
    assert system.call("DELETE", f"/webhooks/{webhook_id}", user="another").status_code == 404
    assert system.webhook()["webhook_id"] == webhook_id


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "https://10.0.0.1/",
        "http://1.1.1.1/",
        "https://[fd00:ec2::254]/",
        "https://no-such-host.invalid/",
    ],
)
def test_even_here_nothing_but_loopback_is_admitted_besides_the_public_internet(system: System, url: str) -> None:
    answer = system.call("POST", "/webhooks", {"url": url})
    assert (answer.status_code, answer.json()["field"]) == (422, "url")


def test_the_secret_is_not_to_be_read_where_it_is_kept(system: System, secret: str) -> None:
    dynamodb = system.stack.session().client("dynamodb")
    items = dynamodb.scan(TableName=system.stack.outputs["WebhooksTableName"])["Items"]
    assert secret not in str(items)
    [item] = [item for item in items if item["webhook"]["S"].startswith("wh-")]
    assert item["tenant"]["S"] == TENANT
    assert secret not in system.stack.processes.log(GATEWAY).read_text(errors="replace")
