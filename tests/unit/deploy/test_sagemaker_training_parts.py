"""Parts of the SageMaker stand-in's training jobs, each alone."""

from __future__ import annotations

import json
import tarfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.local.sagemaker.aws_protocol import service_model
from deploy.local.sagemaker.checkpoint_sync import CheckpointSync
from deploy.local.sagemaker.constraints import refusal
from deploy.local.sagemaker.iam_resources import conditions_of, passed_role
from deploy.local.sagemaker.s3_folders import download, is_anything_at, upload, upload_archive
from deploy.local.sagemaker.training_folder import TrainingFolder
from deploy.local.sagemaker.training_job import TrainingJob
from deploy.local.sagemaker.training_metrics import MetricReader
from deploy.local.sagemaker.warm_pools import WarmPools

REQUEST: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::000000000000:role/training",
    "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
}


class FakeBucket:
    """An S3 with one bucket, as far as folders go."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = dict(objects)
        self.writes: list[str] = []

    def get_paginator(self, name: str) -> FakeBucket:
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)]}, {}]

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:
        return {"KeyCount": min(MaxKeys, sum(key.startswith(Prefix) for key in self.objects))}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        Path(path).write_bytes(self.objects[key])

    def put_object(self, Bucket: str, Key: str, Body: Any) -> None:
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        self.writes.append(Key)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folders_come_from_prefixes(tmp_path: Path) -> None:
    s3 = FakeBucket(**{"set/a.png": b"a", "set/in/b.png": b"b", "set/": b"", "other": b"x"})
    assert is_anything_at(s3, "s3://b/set/")
    assert not is_anything_at(s3, "s3://b/none/")
    for name, uri in (("slash", "s3://b/set/"), ("none", "s3://b/set")):
        assert download(s3, uri, tmp_path / name) == 2
        assert files(tmp_path / name) == {"a.png": b"a", "in/b.png": b"b"}
    assert download(s3, "s3://b/set/a.png", tmp_path / "one") == 1
    assert files(tmp_path / "one") == {"a.png": b"a"}
    s3.objects["set/../../x"] = b"out"
    with pytest.raises(ValueError, match="leads out"):
        download(s3, "s3://b/set/", tmp_path / "two")


def test_folders_go_to_prefixes(tmp_path: Path) -> None:
    (tmp_path / "model" / "in").mkdir(parents=True)
    (tmp_path / "model" / "a").write_text("a")
    (tmp_path / "model" / "in" / "b").write_text("b")
    s3 = FakeBucket()
    upload(s3, tmp_path / "model", "s3://b/out/model/")
    assert s3.objects == {"out/model/a": b"a", "out/model/in/b": b"b"}
    upload_archive(s3, tmp_path / "model", "s3://b/model.tar.gz")
    (tmp_path / "back").write_bytes(s3.objects["model.tar.gz"])
    with tarfile.open(tmp_path / "back") as archive:
        assert sorted(archive.getnames()) == ["a", "in/b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "model"]


def test_checkpoints_are_restored_and_only_changes_go_back(tmp_path: Path) -> None:
    s3 = FakeBucket(**{"c/step": b"4", "c/old/weights": b"w"})
    sync = CheckpointSync(s3, tmp_path / "checkpoints", "s3://b/c/")
    sync.restore()
    assert files(tmp_path / "checkpoints") == {"step": b"4", "old/weights": b"w"}
    sync.push()
    assert s3.writes == []
    (tmp_path / "checkpoints" / "new").write_text("n")
    time.sleep(0.01)
    (tmp_path / "checkpoints" / "step").write_text("15")
    (tmp_path / "checkpoints" / "old" / "weights").unlink()
    sync.push()
    sync.push()
    assert s3.writes == ["c/new", "c/step"]  # the one written first goes first
    assert s3.objects["c/old/weights"] == b"w"


def test_metrics_are_the_last_numbers_of_whole_lines(tmp_path: Path) -> None:
    definitions = [{"Name": "loss", "Regex": r"loss=(\S+)"}, {"Name": "step", "Regex": "step=([0-9]+)"}]
    log = tmp_path / "log"
    reader = MetricReader(log, {"AlgorithmSpecification": {"MetricDefinitions": definitions}})
    values: dict[str, tuple[float, datetime]] = {}
    reader.read(values)
    assert values == {}
    log.write_text("step=1 loss=0.5\nstep=2 loss=nonsense\nstep=3 lo")
    reader.read(values)
    assert {name: value for name, (value, _) in values.items()} == {"loss": 0.5, "step": 2.0}
    log.write_text(log.read_text() + "ss=0.25\n")
    reader.read(values)
    assert {name: value for name, (value, _) in values.items()} == {"loss": 0.25, "step": 3.0}


def test_container_finds_its_configuration(tmp_path: Path) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}
    channel = {"ChannelName": "dataset", "DataSource": {"S3DataSource": source}}
    request = REQUEST | {"HyperParameters": {"a": "1"}, "InputDataConfig": [channel]}
    folder = TrainingFolder(
        tmp_path, request | {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/kept"}}
    )
    folder.lay_out()
    config = tmp_path / "input" / "config"
    assert json.loads((config / "hyperparameters.json").read_text()) == {"a": "1"}
    assert (
        json.loads((config / "inputdataconfig.json").read_text())["dataset"]["S3DistributionType"] == "FullyReplicated"
    )
    assert json.loads((config / "resourceconfig.json").read_text())["hosts"] == ["localhost"]
    assert (tmp_path / "kept").is_dir()
    assert folder.failure() == ""
    (tmp_path / "output" / "failure").write_text(" It broke.\n")
    assert folder.failure() == "It broke."


def test_job_that_stops_does_not_go_on() -> None:
    job = TrainingJob("job", "arn", "000000000000", REQUEST | {"Tags": [{"Key": "k", "Value": "v"}]})
    assert job.enter("Starting", "one")
    assert not job.enter("Starting", "one")
    assert job.enter("Starting", "two")
    assert job.enter("Stopping", "stops")
    assert not job.enter("Training", "late")
    assert job.enter("Stopped", "stopped")
    assert not job.enter("Failed", "too late", "x")
    described = job.describe()
    assert [each["StatusMessage"] for each in described["SecondaryStatusTransitions"]] == ["two", "stops", "stopped"]
    assert (described["TrainingJobStatus"], described["FailureReason"]) == ("Stopped", None)
    assert "Tags" not in described
    detail = job.event_detail()
    assert detail["Tags"] == {"k": "v"}
    assert json.loads(json.dumps(detail)) == detail
    failed = TrainingJob("job", "arn", "000000000000", REQUEST)
    failed.enter("Failed", "m", "x" * 2_000)
    assert failed.failure_reason == "x" * 1_024


def test_warm_pools_match_and_end() -> None:
    pools = WarmPools(time_scale=1.0)
    warm = REQUEST | {"ResourceConfig": REQUEST["ResourceConfig"] | {"KeepAlivePeriodInSeconds": 600}}
    assert not pools.take("first", warm)
    assert pools.status("first") == {"Status": "InUse"}
    assert not pools.take("beside", warm)  # in use: not to be had
    pools.keep("first")
    pools.drop("beside")
    assert pools.status("beside") is None
    assert not pools.take("other-role", warm | {"RoleArn": "arn:aws:iam::000000000000:role/other"})
    assert not pools.take("spot", REQUEST | {"EnableManagedSpotTraining": True})
    assert pools.take("last", REQUEST)  # asks for none of its own: the instance goes after it
    assert pools.status("first") == {
        "Status": "Reused", "ResourceRetainedBillableTimeInSeconds": 0, "ReusedByJob": "last"
    }  # fmt: skip
    assert pools.status("last") is None
    brief = WarmPools(time_scale=1e9)
    brief.take("brief", warm)
    brief.keep("brief")
    time.sleep(0.001)
    assert brief.status("brief") == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 600}
    assert not brief.take("next", warm)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        (
            {"TrainingJobName": "a b"},
            "'a b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy reg",
        ),
        ({"HyperParameters": {"k": "v" * 2_501}}, "at 'hyperParameters.k.member' failed"),
        ({"Tags": [{"Key": "k" * 129, "Value": ""}]}, "at 'tags.1.member.key' failed"),
        (
            {"ResourceConfig": {"KeepAlivePeriodInSeconds": 21_601}},
            "Member must have value less than or equal to 21600",
        ),
        ({"AlgorithmSpecification": {"TrainingInputMode": "Tape"}}, "Member must satisfy enum value set: [Pipe, File"),
    ],
)
def test_constraints_of_the_model(change: dict[str, Any], words: str | None) -> None:
    shape = service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    message = refusal(shape, {**REQUEST, **change})
    if words is None:
        assert message is None
    else:
        assert message is not None
        assert message.startswith("1 validation error detected: Value ")
        assert words in message


def test_iam_hears_of_tags_instances_and_the_passed_role() -> None:
    conditions = conditions_of(REQUEST | {"Tags": [{"Key": "Easel", "Value": "s"}]}, {"tenant": "T1"})
    assert conditions == {
        "aws:requesttag/easel": "s",
        "aws:tagkeys": ["Easel"],
        "aws:resourcetag/tenant": "T1",
        "sagemaker:resourcetag/tenant": "T1",
        "sagemaker:instancetypes": ["ml.g5.xlarge"],
    }
    assert passed_role(REQUEST) == REQUEST["RoleArn"]
    assert passed_role({}) is None
