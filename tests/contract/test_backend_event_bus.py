"""The contract of `EventBus`, over the fake and over EventBridge (with a queue behind it, to see what arrives)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.eventbridge_bus import EventBridgeBus
from backend_lambda.contract.errors import JobFailure, JobFailureCode
from backend_lambda.contract.events import EVENT_TYPES, SOURCE, JobEvent, JobFailed, JobProgressed
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_events import TRAINING_EVENT_TYPES
from backend_lambda.ports import EventBus, PublishFailed
from tests.contract.test_backend_job_store import SETTINGS
from tests.fakes.backend import NOON, FakeBus
from tests.policies.rendered import STACK, template

FACTS = {
    "job_id": "job-aaaaaaaaaaaaaaaaaaaaaaaaaa",
    "endpoint": "tiny",
    "model": "tiny",
    "owner": Owner(tenant="T1", member="U1"),
    "settings": SETTINGS,
    "context": {"channel": "C1"},
    "created_at": NOON,
    "at": NOON,
}


class Listener:
    """A bus, and what came out of it."""

    def __init__(self, bus: EventBus, received: Callable[[int], list[JobEvent]]) -> None:
        self.bus = bus
        self.received = received


@pytest.fixture(params=["fake", "eventbridge"])
def listener(request: pytest.FixtureRequest) -> Listener:
    if request.param == "fake":
        fake = FakeBus()
        return Listener(fake, lambda _: fake.events)
    aws: Clients = request.getfixturevalue("aws")
    return listen(aws)


def listen(aws: Clients) -> Listener:
    """A new bus on EventBridge with a queue behind it."""
    name = f"easel-{uuid.uuid4().hex[:8]}"
    aws("events").create_event_bus(Name=name)
    queue = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    aws("events").put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": [SOURCE]}))
    aws("events").put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])

    def received(count: int) -> list[JobEvent]:
        found: list[JobEvent] = []
        deadline = time.monotonic() + 5
        while len(found) < count and time.monotonic() < deadline:
            messages = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            for message in messages:
                event = json.loads(message["Body"])
                found.append((EVENT_TYPES | TRAINING_EVENT_TYPES)[event["detail-type"]].model_validate(event["detail"]))
                aws("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            if not messages:
                time.sleep(0.05)
        return found

    return Listener(EventBridgeBus(aws.of("events"), name), received)


def test_what_is_published_arrives_whole(listener: Listener) -> None:
    failure = JobFailure(code=JobFailureCode.LOST, message="It’s gone 🎈", reference="r1")
    published = [
        JobProgressed(event_id="e:progressed:0", step=0, steps=20, **FACTS),
        JobFailed(event_id="e:failed", failure=failure, **FACTS),
    ]
    for event in published:
        listener.bus.publish(event)
    assert sorted(listener.received(2), key=lambda event: event.event_id) == sorted(
        published, key=lambda event: event.event_id
    )


def test_an_event_that_the_bus_refuses_is_an_error_though_the_call_succeeds() -> None:
    class Refusing:
        """EventBridge's answer when it takes the call but not the entry."""

        def put_events(self, **_: object) -> dict[str, object]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "secret"}]}

    with pytest.raises(PublishFailed, match="InternalFailure"):
        EventBridgeBus(Refusing, "bus").publish(JobProgressed(event_id="e", step=0, steps=1, **FACTS))


def test_a_bus_that_does_not_answer_is_an_error() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        clients = Clients()
        clients("events")
    with pytest.raises(PublishFailed):
        EventBridgeBus(clients.of("events"), "bus").publish(JobProgressed(event_id="e", step=0, steps=1, **FACTS))


@pytest.mark.parametrize(
    ("key", "about"),
    [
        ("tenants/T1/jobs/job-a/progress.json", {"ProgressRule"}),
        ("tenants/T1/trainings/trn-a/progress.json", {"TrainingProgressRule"}),
        ("tenants/T1/trainings/trn-a/loss-1.png", set()),
        ("uploads/tenants/T1/trainings/trn-a/progress.json", set()),
    ],
)
def test_a_progress_file_goes_to_the_queue_it_is_for(aws: Clients, key: str, about: set[str]) -> None:
    event = {
        "id": "1",
        "account": "123456789012",
        "time": "2026-11-23T12:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": template().render({"Ref": "PicturesBucket"})}, "object": {"key": key}},
    }
    matched = set()
    for name in ("ProgressRule", "TrainingProgressRule", "TrainingJobsRule"):
        pattern = template().render(template().resources[name]["Properties"]["EventPattern"])
        answer = aws("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))
        matched |= {name} if answer["Result"] else set()
    assert matched == about


@pytest.mark.parametrize(("name", "matches"), [("easel-trn-a", True), ("easel2-trn-a", False), ("by-hand", False)])
def test_only_news_of_the_stacks_own_training_jobs_come(aws: Clients, name: str, matches: bool) -> None:
    event = {
        "id": "1",
        "account": "123456789012",
        "time": "2026-11-23T12:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Training Job State Change",
        "detail": {"TrainingJobName": name.replace("easel", STACK, 1)},
    }
    pattern = template().render(template().resources["TrainingJobsRule"]["Properties"]["EventPattern"])
    answer = aws("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))
    assert answer["Result"] is matches
