"""Training jobs on the SageMaker stand-in: real boto3 clients, and a container that trains in no time."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws, wait_for

CONTAINER = Path(__file__).resolve().parents[1] / "fakes" / "fast_container"
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "sagemaker.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
}
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
}
FINAL = {"Completed", "Failed", "Stopped"}


class Studio:
    """A local AWS with a bucket, an execution role, and a queue that hears of every training."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.sagemaker, self.s3 = aws.client("sagemaker"), aws.client("s3")
        self.s3.create_bucket(Bucket="data")
        for key in ("models/a/index.json", "models/a/unet/weights", "sets/1/p1.png", "sets/1/training.json"):
            self.s3.put_object(Bucket="data", Key=key, Body=b"{}")
        self.role = aws.role(
            "training",
            [
                {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::data"},
                {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::data/*"},
                {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::data/trained/*"},
                {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
            ],
            TRUST,
        )
        self.changes, changes_arn = aws.queue("changes")
        events = aws.client("events")
        pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Training Job State Change"]}
        events.put_rule(Name="changes", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="changes", Targets=[{"Id": "queue", "Arn": changes_arn}])

    def request(self, name: str, hyperparameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        channels = [("model", "models/a/"), ("dataset", "sets/1/")]
        return {
            "TrainingJobName": name,
            "HyperParameters": hyperparameters or {},
            "AlgorithmSpecification": {"TrainingImage": "easel", "TrainingInputMode": "File"},
            "RoleArn": self.role,
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://data/{prefix}"}},
                }
                for channel, prefix in channels
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://data/trained/", "CompressionType": "NONE"},
            "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "CheckpointConfig": {"S3Uri": f"s3://data/trained/{name}/checkpoints/"},
            **more,
        }

    def create(self, name: str, hyperparameters: dict[str, str] | None = None, **more: Any) -> None:
        answer = self.sagemaker.create_training_job(**self.request(name, hyperparameters, **more))
        assert answer["TrainingJobArn"] == arn(name)

    def describe(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return described

    def ended(self, name: str, seconds: float = 20) -> dict[str, Any]:
        wait_for(lambda: self.describe(name)["TrainingJobStatus"] in FINAL, seconds)
        return self.describe(name)

    def wait_step(self, name: str, step: int) -> None:
        def reached() -> bool:
            try:
                return int(self.read(f"trained/{name}/checkpoints/step")) >= step
            except ClientError:
                return False

        wait_for(reached, 15)

    def read(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket="data", Key=key)["Body"].read()
        return content

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket="data", Prefix=prefix).get("Contents", [])
        return [item["Key"].removeprefix(prefix) for item in found]

    def facts(self, name: str) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.read(f"trained/{name}/output/model/facts.json"))
        return facts

    def events(self, name: str, last: str, count: int = 1) -> list[dict[str, Any]]:
        """What was told of a job, until its last state was told so many times."""
        seen: list[dict[str, Any]] = []
        while [event["SecondaryStatus"] for event in seen].count(last) < count:
            message = self.aws.receive(self.changes, lambda event: event["detail"]["TrainingJobName"] == name, 10)
            assert (message["source"], message["resources"]) == ("aws.sagemaker", [arn(name)])
            seen.append(message["detail"])
        return seen

    def interrupt(self, name: str, *, notice: bool) -> httpx.Response:
        url = f"{self.aws.sagemaker.url}/control/trainings/{name}/interruption"
        return httpx.post(url, json={"notice": notice})

    def faults(self, **faults: float) -> None:
        httpx.post(f"{self.aws.sagemaker.url}/control/faults", json=faults).raise_for_status()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("stack")
    options = {"launch_seconds": 0.5, "stop_grace_seconds": 2.0, "checkpoint_seconds": 0.1, "metrics_seconds": 5.0}
    with LocalAws(folder, repository=CONTAINER, time_scale=60.0, **options) as aws:
        studio = Studio(aws)
        yield studio
        assert list((folder / "trainings").iterdir()) == []
        studio.create("left", {"steps": "1000", "deaf": "1"})
        studio.wait_step("left", 1)
    assert list((folder / "trainings").iterdir()) == []
    assert not [process for process in Path("/proc").glob("[0-9]*") if str(folder) in environment_of(process)]


def environment_of(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""


def arn(name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name.lower()}"


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def states(job: dict[str, Any]) -> list[str]:
    return [each["Status"] for each in job["SecondaryStatusTransitions"]]


def test_trains_and_hands_over(studio: Studio) -> None:
    metric = {"Name": "loss", "Regex": "loss=([0-9.]+)"}
    studio.create(
        "Job-1",
        {"steps": "4", "training_id": "trn-x"},
        Environment={"GIVEN": "yes"},
        Tags=[{"Key": "easel", "Value": "test"}],
        AlgorithmSpecification={
            "TrainingImage": "easel",
            "TrainingInputMode": "File",
            "MetricDefinitions": [metric, {"Name": "never", "Regex": "never=(.*)"}],
        },
    )
    assert studio.describe("Job-1")["TrainingJobStatus"] == "InProgress"
    job = studio.ended("Job-1")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    assert states(job) == ["Starting", "Pending", "Downloading", "Training", "Uploading", "Completed"]
    times = [job[name] for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime")]
    assert times == sorted(times)
    assert all(isinstance(time, datetime) for time in times)
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] >= 0
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("loss", 0.25)]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/trained/Job-1/output/model/"
    assert "FailureReason" not in job
    assert sorted(studio.keys("trained/Job-1/output/")) == [
        "data/notes.txt",
        "model/facts.json",
        "model/nested/weights",
    ]
    facts = studio.facts("Job-1")
    assert facts["hyperparameters"] == {"steps": "4", "training_id": "trn-x"}
    assert facts["files"] == ["dataset/p1.png", "dataset/training.json", "model/index.json", "model/unet/weights"]
    assert facts["channels"]["dataset"]["TrainingInputMode"] == "File"
    assert facts["resources"]["current_instance_type"] == "ml.g5.xlarge"
    assert (facts["job"], facts["environment"], facts["first"]) == ("Job-1", "yes", 0)
    given = httpx.get(facts["credentials"]).json()
    credentials = {name: given[name] for name in ("AccessKeyId", "SecretAccessKey")} | {"SessionToken": given["Token"]}
    caller = studio.aws.client("sts", credentials).get_caller_identity()["Arn"]
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/training/SageMaker"


def test_events_tell_every_state(studio: Studio) -> None:
    studio.create("told", {"steps": "1"}, Tags=[{"Key": "tenant", "Value": "T1"}])
    events = studio.events("told", "Completed")
    told = [event["SecondaryStatus"] for event in events]
    assert list(dict.fromkeys(told)) == states(studio.describe("told"))
    last = events[-1]
    assert (last["TrainingJobStatus"], last["TrainingJobArn"]) == ("Completed", arn("told"))
    assert (last["HyperParameters"], last["Tags"]) == ({"steps": "1"}, {"tenant": "T1"})
    assert isinstance(last["CreationTime"], int)
    assert [each["Status"] for each in last["SecondaryStatusTransitions"]] == list(dict.fromkeys(told))
    assert last["ModelArtifacts"]["S3ModelArtifacts"].endswith("/told/output/model/")


def test_events_may_be_lost_doubled_and_disordered(studio: Studio) -> None:
    studio.faults(drop_training_events=3)
    studio.create("lost", {"steps": "1"})
    assert studio.events("lost", "Completed")[0]["SecondaryStatus"] == "Downloading"
    studio.faults(duplicate_training_events=50)
    studio.create("twice", {"steps": "1"})
    assert [each["SecondaryStatus"] for each in studio.events("twice", "Completed", 2)].count("Training") == 2
    studio.faults(duplicate_training_events=0, delay_training_events_seconds=0.5)
    begun = time.monotonic()
    studio.create("late", {"steps": "1"})
    studio.ended("late")
    assert len(studio.events("late", "Completed")) >= 1
    assert time.monotonic() - begun < 10
    studio.faults(delay_training_events_seconds=0)


def test_compressed_output_is_one_archive(studio: Studio) -> None:
    studio.create("packed", OutputDataConfig={"S3OutputPath": "s3://data/trained"})
    assert (
        studio.ended("packed")["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/trained/packed/output/model.tar.gz"
    )
    with tarfile.open(fileobj=io.BytesIO(studio.read("trained/packed/output/model.tar.gz"))) as archive:
        assert sorted(archive.getnames()) == ["facts.json", "nested/weights"]
    assert sorted(studio.keys("trained/packed/output/")) == ["model.tar.gz", "output.tar.gz"]


def test_output_is_in_cloudwatch(studio: Studio) -> None:
    studio.create("logged", {"steps": "1"})
    logs = studio.aws.client("logs")

    def said() -> bool:
        try:
            found = logs.filter_log_events(
                logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="logged/algo-1-"
            )
        except logs.exceptions.ResourceNotFoundException:
            return False
        return "step=1 loss=1.000" in [event["message"] for event in found["events"]]

    wait_for(said, 15)


@pytest.mark.parametrize(
    ("name", "hyperparameters", "reason"),
    [
        ("sorry", {"fail_at": "1", "failure": "The pictures are broken."}, "The pictures are broken., exit code: 1"),
        ("silent", {"fail_at": "0", "status": "7"}, ", exit code: 7"),
    ],
)
def test_failure_carries_the_containers_words(
    studio: Studio, name: str, hyperparameters: dict[str, str], reason: str
) -> None:
    studio.create(name, hyperparameters)
    job = studio.ended(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == f"AlgorithmError: {reason}"
    assert studio.keys(f"trained/{name}/output/") == []
    assert studio.events(name, "Failed")[-1]["FailureReason"] == job["FailureReason"]
    if name == "sorry":
        assert studio.read("trained/sorry/checkpoints/step") == b"1"


def test_container_that_is_killed_had_too_little_memory(studio: Studio) -> None:
    studio.create("killed", {"die_at": "0"})
    reason = studio.ended("killed")["FailureReason"]
    assert reason.startswith("ClientError: Please use an instance type with more memory")
    assert reason.endswith("exit code: 137")


def test_names_are_taken_once(studio: Studio) -> None:
    studio.create("taken", {"steps": "200"})
    with pytest.raises(ClientError, match=r"a training job with this name already exists \(arn:aws:") as taken:
        studio.create("taken")
    assert code_of(taken) == "ResourceInUse"
    with pytest.raises(ClientError, match="InProgress") as busy:
        studio.sagemaker.delete_training_job(TrainingJobName="taken")
    assert code_of(busy) == "ResourceInUse"
    studio.sagemaker.stop_training_job(TrainingJobName="taken")
    studio.ended("taken")
    with pytest.raises(ClientError, match="already exists"):
        studio.create("taken")
    studio.sagemaker.delete_training_job(TrainingJobName="taken")
    with pytest.raises(ClientError, match=r"Requested resource not found\.") as gone:
        studio.describe("taken")
    assert code_of(gone) == "ValidationException"
    studio.create("taken", {"steps": "1"})
    assert studio.ended("taken")["TrainingJobStatus"] == "Completed"


def test_stopped_one_gets_sigterm_and_keeps_what_it_has(studio: Studio) -> None:
    studio.create("halted", {"steps": "1000"})
    studio.wait_step("halted", 2)
    studio.sagemaker.stop_training_job(TrainingJobName="halted")
    job = studio.describe("halted")
    assert job["TrainingJobStatus"] in {"Stopping", "Stopped"}
    job = studio.ended("halted")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert states(job)[-3:] == ["Training", "Stopping", "Stopped"]
    assert studio.keys("trained/halted/output/model/") == ["half"]
    assert studio.read("trained/halted/checkpoints/asked") == b"to end"
    with pytest.raises(ClientError, match="the training job is in status Stopped") as late:
        studio.sagemaker.stop_training_job(TrainingJobName="halted")
    assert code_of(late) == "ValidationException"


def test_deaf_one_is_killed_after_the_grace(studio: Studio) -> None:
    studio.create("deaf", {"steps": "1000", "deaf": "1"})
    studio.wait_step("deaf", 1)
    begun = time.monotonic()
    studio.sagemaker.stop_training_job(TrainingJobName="deaf")
    assert studio.ended("deaf")["SecondaryStatus"] == "Stopped"
    assert 2.0 <= time.monotonic() - begun < 12.0


def test_stopped_before_it_trains(studio: Studio) -> None:
    studio.create("early")
    studio.sagemaker.stop_training_job(TrainingJobName="early")
    job = studio.ended("early")
    assert "Training" not in states(job)
    assert states(job)[-2:] == ["Stopping", "Stopped"]
    assert "TrainingStartTime" not in job


def test_runtime_is_limited(studio: Studio) -> None:
    studio.create("long", {"steps": "1000", "step_seconds": "0.1"}, StoppingCondition={"MaxRuntimeInSeconds": 4})
    job = studio.ended("long")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert states(job)[-3:] == ["Training", "Stopping", "MaxRuntimeExceeded"]
    assert studio.keys("trained/long/output/model/") == ["half"]


@pytest.mark.parametrize("notice", [True, False])
def test_interrupted_spot_training_goes_on_from_its_checkpoint(studio: Studio, notice: bool) -> None:
    name = f"spot-{'told' if notice else 'cut'}"
    studio.create(name, {"steps": "40", "step_seconds": "0.05"}, **SPOT)
    studio.wait_step(name, 3)
    assert studio.interrupt(name, notice=notice).status_code == 202
    job = studio.ended(name, 30)
    assert job["TrainingJobStatus"] == "Completed"
    one = ["Starting", "Pending", "Downloading", "Training"]
    assert states(job) == [*one, "Interrupted", *one, "Uploading", "Completed"]
    assert 3 <= studio.facts(name)["first"] < 40
    assert ("asked" in studio.keys(f"trained/{name}/checkpoints/")) is notice
    assert job["BillableTimeInSeconds"] < job["TrainingTimeInSeconds"]
    assert job["EnableManagedSpotTraining"] is True


def test_only_running_spot_trainings_are_interrupted(studio: Studio) -> None:
    studio.create("demand", {"steps": "1000"})
    studio.wait_step("demand", 1)
    assert studio.interrupt("demand", notice=True).status_code == 409
    assert studio.interrupt("nobody", notice=True).status_code == 409
    studio.sagemaker.stop_training_job(TrainingJobName="demand")
    studio.ended("demand")
    plain = httpx.post(f"{studio.aws.sagemaker.url}/control/trainings/demand/interruption", content=b"{}")
    assert plain.status_code == 415


def test_no_capacity(studio: Studio) -> None:
    studio.faults(no_training_capacity=1)
    studio.create("dear")
    job = studio.ended("dear")
    assert job["FailureReason"].startswith("CapacityError: Unable to provision requested ML compute capacity.")
    condition = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    studio.create("never", EnableManagedSpotTraining=True, StoppingCondition=condition)
    job = studio.ended("never")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    studio.create("patient", {"steps": "1"}, **SPOT)
    wait_for(lambda: studio.describe("patient")["SecondaryStatus"] == "Pending", 5)
    studio.faults(no_training_capacity=0)
    assert studio.ended("patient")["TrainingJobStatus"] == "Completed"


def test_no_quota(studio: Studio) -> None:
    studio.faults(refuse_trainings=1)
    with pytest.raises(ClientError, match=r"ml\.g5\.xlarge for training job usage' is 0 Instances") as refused:
        studio.create("poor")
    assert code_of(refused) == "ResourceLimitExceeded"
    studio.create("poor", {"steps": "1"})
    studio.ended("poor")


def test_warm_pool_is_reused_and_ends(studio: Studio) -> None:
    resources = {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    warm = {"ResourceConfig": {**resources, "KeepAlivePeriodInSeconds": 600}}
    studio.create("warm-1", {"steps": "1"}, **warm)
    assert studio.describe("warm-1")["WarmPoolStatus"] == {"Status": "InUse"}
    studio.ended("warm-1")
    wait_for(lambda: studio.describe("warm-1")["WarmPoolStatus"]["Status"] == "Available", 5)
    with pytest.raises(ClientError, match="retains a warm pool"):
        studio.sagemaker.delete_training_job(TrainingJobName="warm-1")
    studio.create("other", {"steps": "1"})  # another instance type
    assert "Pending" in states(studio.ended("other"))
    studio.create("warm-2", {"steps": "1"}, **warm)
    job = studio.ended("warm-2")
    assert "Pending" not in states(job)
    before = studio.describe("warm-1")["WarmPoolStatus"]
    assert (before["Status"], before["ReusedByJob"]) == ("Reused", "warm-2")
    wait_for(lambda: studio.describe("warm-2")["WarmPoolStatus"]["Status"] == "Available", 5)
    found = studio.sagemaker.list_training_jobs(WarmPoolStatusEquals="Available")["TrainingJobSummaries"]
    assert [each["TrainingJobName"] for each in found] == ["warm-2"]
    studio.sagemaker.update_training_job(TrainingJobName="warm-2", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    assert studio.describe("warm-2")["WarmPoolStatus"]["Status"] == "Terminated"
    with pytest.raises(ClientError, match="no warm pool that is available"):
        studio.sagemaker.update_training_job(TrainingJobName="warm-2", ResourceConfig={"KeepAlivePeriodInSeconds": 9})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"TrainingJobName": "-x"}, "at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular"),
        ({"TrainingJobName": "x" * 64}, "Member must have length less than or equal to 63"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 9}}, "only supported when Enable"),
        ({**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 9}}, "It must be present and be greater than or equal"),
        (
            {**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8}},
            "greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {
                **SPOT,
                "ResourceConfig": {
                    "InstanceType": "ml.g5.xlarge",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "KeepAlivePeriodInSeconds": 60,
                },
            },
            "KeepAlivePeriodInSeconds is not supported",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.none.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum value set",
        ),
        ({"CheckpointConfig": {"S3Uri": "s3://data/x", "LocalPath": "/tmp/x"}}, "below /opt/ml"),
        (
            {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"},
            r"Could not assume role arn:aws:iam::.*role/nobody\. Please",
        ),
    ],
)
def test_what_create_refuses(studio: Studio, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as refused:
        studio.sagemaker.create_training_job(**studio.request("refused", **more))
    assert code_of(refused) == "ValidationException"
    assert not studio.sagemaker.list_training_jobs(NameContains="refused")["TrainingJobSummaries"]


def test_input_must_be_there_and_readable(studio: Studio) -> None:
    request = studio.request("hungry")
    request["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://data/sets/none/"
    with pytest.raises(ClientError, match='No S3 objects found under S3 URL "s3://data/sets/none/"'):
        studio.sagemaker.create_training_job(**request)
    statements = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}]
    blind = studio.aws.role("blind", statements, TRUST)
    with pytest.raises(ClientError, match='has "s3:ListBucket" permissions on bucket "data"'):
        studio.create("hungry", RoleArn=blind)
    statements.append({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::data"})
    statements[0]["Resource"] = "arn:aws:s3:::data/models/*"
    deny = studio.aws.role("half-blind", statements, TRUST)
    studio.create("hungry", RoleArn=deny)
    assert studio.ended("hungry")["FailureReason"].startswith("ClientError: Data download failed:")


def test_output_and_checkpoints_must_be_writable(studio: Studio) -> None:
    studio.create("shut", {"steps": "1"}, OutputDataConfig={"S3OutputPath": "s3://data/elsewhere"})
    assert studio.ended("shut")["FailureReason"].startswith("ClientError: Artifact upload failed:")
    studio.create("mute", {"steps": "1000"}, CheckpointConfig={"S3Uri": "s3://data/elsewhere/"})
    assert studio.ended("mute")["FailureReason"].startswith("ClientError: Checkpoint upload failed:")


def test_listing(studio: Studio) -> None:
    for index in range(3):
        studio.create(f"listed-{index}", {"steps": "1"})
    for index in range(3):
        studio.ended(f"listed-{index}")
    newest = studio.sagemaker.list_training_jobs(NameContains="listed", MaxResults=2)
    names = [each["TrainingJobName"] for each in newest["TrainingJobSummaries"]]
    assert names == ["listed-2", "listed-1"]
    rest = studio.sagemaker.list_training_jobs(NameContains="listed", MaxResults=2, NextToken=newest["NextToken"])
    assert [each["TrainingJobName"] for each in rest["TrainingJobSummaries"]] == ["listed-0"]
    created = newest["TrainingJobSummaries"][1]["CreationTime"]
    later = studio.sagemaker.list_training_jobs(NameContains="listed", CreationTimeAfter=created)
    assert [each["TrainingJobName"] for each in later["TrainingJobSummaries"]] == ["listed-2"]
    failed = studio.sagemaker.list_training_jobs(NameContains="listed", StatusEquals="Failed")
    assert failed["TrainingJobSummaries"] == []


def test_tags(studio: Studio) -> None:
    studio.create("tagged", {"steps": "1"}, Tags=[{"Key": "tenant", "Value": "T1"}])
    studio.sagemaker.add_tags(ResourceArn=arn("tagged"), Tags=[{"Key": "member", "Value": "U1"}])
    shown = studio.sagemaker.list_tags(ResourceArn=arn("tagged"))["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in shown} == {"tenant": "T1", "member": "U1"}
    studio.sagemaker.delete_tags(ResourceArn=arn("tagged"), TagKeys=["tenant"])
    assert [tag["Key"] for tag in studio.sagemaker.list_tags(ResourceArn=arn("tagged"))["Tags"]] == ["member"]
    studio.ended("tagged")


def test_iam_decides(studio: Studio) -> None:
    root = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    ours = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/ours-*"
    training = {
        "Effect": "Allow",
        "Action": ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"],
        "Resource": ours,
    }
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": studio.role,
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    tagging = {
        "Effect": "Allow",
        "Action": "sagemaker:AddTags",
        "Resource": ours,
        "Condition": {"StringEquals": {"aws:RequestTag/easel": "stack"}},
    }

    def client(name: str, *statements: dict[str, Any]) -> Any:
        return studio.aws.client("sagemaker", studio.aws.assume(studio.aws.role(name, [*statements], root)))

    tags = {"Tags": [{"Key": "easel", "Value": "stack"}]}
    for who, name, more, action in (
        (client("no-pass", training), "ours-1", {}, "iam:PassRole"),
        (client("no-tags", training, passing), "ours-1", tags, "sagemaker:AddTags"),
        (client("all", training, passing, tagging), "theirs-1", tags, "sagemaker:CreateTrainingJob"),
        (client("tagged", training, passing, tagging), "ours-1", {"Tags": [{"Key": "easel", "Value": "x"}]}, "AddTags"),
    ):
        with pytest.raises(ClientError, match=f"not authorized to perform: .*{action}") as refused:
            who.create_training_job(**studio.request(name, **more))
        assert code_of(refused) == "AccessDeniedException"
    allowed = client("whole", training, passing, tagging)
    allowed.create_training_job(**studio.request("ours-1", {"steps": "1"}, **tags))
    studio.ended("ours-1")
    assert allowed.describe_training_job(TrainingJobName="ours-1")["TrainingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="sagemaker:StopTrainingJob"):
        allowed.stop_training_job(TrainingJobName="ours-1")
