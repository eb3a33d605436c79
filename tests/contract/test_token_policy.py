"""The template's own statement about the tokens key, evaluated by IAM: only as a workspace's, and as nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.decode import cfn_yaml

from deploy.cloudformation import TEMPLATE
from tests.fakes.local_aws import ACCOUNT, LocalAws

TRUST = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as local:
        yield local


@pytest.fixture(scope="module")
def key_arn(local: LocalAws) -> str:
    return str(local.client("kms").create_key()["KeyMetadata"]["Arn"])


def statement(role: str, sid: str, resource: str) -> dict[str, Any]:
    """As the template has it, about this resource."""
    policies = cfn_yaml.load(str(TEMPLATE))["Resources"][role]["Properties"]["Policies"]
    [found] = [one for one in policies[0]["PolicyDocument"]["Statement"] if one["Sid"] == sid]
    return {**json.loads(json.dumps(found)), "Resource": resource}


@pytest.fixture(scope="module")
def kms(local: LocalAws, key_arn: str) -> dict[str, Any]:
    """KMS by function, under the function's own statement."""
    return {
        role: local.client(
            "kms", local.assume(local.role(role, [statement(role, "TokensOfWorkspaces", key_arn)], TRUST))
        )
        for role in ("SlackRole", "WorkerRole", "ResultsRole", "InstallRole")
    }


ALLOWED = ({"workspace": "T1"}, {"workspace": "E1"})
REFUSED = ({}, {"workspace": "iam-1-role"}, {"another": "T1"}, {"workspace": "T1", "another": "x"})


@pytest.mark.parametrize("role", ["SlackRole", "WorkerRole", "ResultsRole", "InstallRole"])
def test_data_keys_are_made_for_workspaces_alone(kms: dict[str, Any], key_arn: str, role: str) -> None:
    for context in ALLOWED:
        assert kms[role].generate_data_key(KeyId=key_arn, KeySpec="AES_256", EncryptionContext=context)["Plaintext"]
    for context in REFUSED:
        with pytest.raises(ClientError, match="AccessDenied"):
            kms[role].generate_data_key(KeyId=key_arn, KeySpec="AES_256", EncryptionContext=context)


def test_who_reads_tokens_decrypts_them_as_a_workspaces(local: LocalAws, kms: dict[str, Any], key_arn: str) -> None:
    root = local.client("kms")
    for context in (*ALLOWED, *REFUSED):
        blob = root.generate_data_key(KeyId=key_arn, KeySpec="AES_256", EncryptionContext=context)["CiphertextBlob"]
        for role in ("SlackRole", "WorkerRole", "ResultsRole"):
            if context in ALLOWED:
                assert kms[role].decrypt(KeyId=key_arn, CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]
                continue
            with pytest.raises(ClientError, match="AccessDenied"):
                kms[role].decrypt(KeyId=key_arn, CiphertextBlob=blob, EncryptionContext=context)
        # Who installs writes tokens and never reads one.
        with pytest.raises(ClientError, match="AccessDenied"):
            kms["InstallRole"].decrypt(KeyId=key_arn, CiphertextBlob=blob, EncryptionContext=context)


def test_who_installs_speaks_on_the_bus_as_the_bot(local: LocalAws) -> None:
    bus = local.client("events").create_event_bus(Name="bus")["EventBusArn"]
    role = local.role("Announcer", [statement("InstallRole", "Announce", bus)], TRUST)
    events = local.client("events", local.assume(role))
    entry = {"DetailType": "WorkspaceInstalled", "Detail": "{}", "EventBusName": bus}
    assert events.put_events(Entries=[{**entry, "Source": "easel.bot"}])["FailedEntryCount"] == 0
    for sources in (["easel.backend"], ["easel.bot", "easel.backend"]):
        with pytest.raises(ClientError, match="AccessDenied"):
            events.put_events(Entries=[{**entry, "Source": source} for source in sources])
