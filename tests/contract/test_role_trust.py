"""Roles' trust policies on the local AWS: the template's own, and a customer's role. Each attempt is made for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local.role_trust import fill_in
from deploy.own_roles import trust_policy
from tests.fakes import local_aws
from tests.fakes.local_aws import LocalAws
from tests.policies.attempts import ALLOWED, GOOD, REFUSED, Attempt, of_workspace
from tests.policies.rendered import ACCOUNT, Kind, policy_of, template

WORKER = template().arn("WorkerRole").replace(ACCOUNT, local_aws.ACCOUNT)
ROOT_MAY_ASSUME = {"Effect": "Allow", "Principal": {"AWS": local_aws.ACCOUNT}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="module")
def worker(aws: LocalAws) -> Any:
    """STS as the worker: its own policies, and whichever role trusts it."""
    own = policy_of("WorkerRole", Kind.IDENTITY).document["Statement"]
    arn = aws.role(
        WORKER.rsplit("/", 1)[-1], json.loads(json.dumps(own).replace(ACCOUNT, local_aws.ACCOUNT)), ROOT_MAY_ASSUME
    )
    assert arn == WORKER
    return aws.client("sts", aws.assume(arn))


def role(aws: LocalAws, name: str, trust: dict[str, Any], path: str = "/") -> str:
    document = json.dumps(trust).replace(ACCOUNT, local_aws.ACCOUNT)
    created = aws.client("iam").create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)
    return str(created["Role"]["Arn"])


def assumes(sts: Any, role_arn: str, attempt: Attempt) -> bool:
    try:
        sts.assume_role(RoleArn=role_arn, **attempt.arguments())
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        return False
    return True


@pytest.fixture(scope="module")
def artist(aws: LocalAws) -> str:
    return role(aws, "easel-artist", policy_of("ArtistRole", Kind.TRUST).document)


@pytest.fixture(scope="module")
def own(aws: LocalAws) -> str:
    return role(aws, "painter", trust_policy(WORKER, ["T1"]), "/easel/")


@pytest.mark.parametrize("why", ALLOWED)
def test_the_worker_acts_for_a_member_of_one_workspace(worker: Any, artist: str, own: str, why: str) -> None:
    assert assumes(worker, artist, ALLOWED[why])
    assert assumes(worker, own, ALLOWED[why])


@pytest.mark.parametrize("why", REFUSED)
def test_and_in_no_other_way(worker: Any, artist: str, own: str, why: str) -> None:
    assert not assumes(worker, artist, REFUSED[why])
    assert not assumes(worker, own, REFUSED[why])


def test_the_stacks_role_serves_every_workspace_and_a_customers_role_its_own(
    worker: Any, artist: str, own: str
) -> None:
    assert assumes(worker, artist, of_workspace("T2"))
    assert not assumes(worker, own, of_workspace("T2"))


def test_nobody_else_may(aws: LocalAws, artist: str, own: str) -> None:
    for arn in (artist, own):
        assert not assumes(aws.client("sts"), arn, GOOD)


def test_setting_a_source_identity_has_to_be_allowed(aws: LocalAws, worker: Any) -> None:
    trust = trust_policy(WORKER, ["T1"])
    without = {**trust, "Statement": [one for one in trust["Statement"] if one["Action"] != "sts:SetSourceIdentity"]}
    assert not assumes(worker, role(aws, "nameless", without, "/easel/"), GOOD)


PARTS = st.lists(st.sampled_from(["${a}", "${b}", "${c}", "T1.", "*", "$", "{", "}"]), max_size=5).map("".join)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text("xyz*?$", max_size=3)), PARTS)
def test_a_variable_becomes_its_value_or_the_statement_matches_nothing(values: dict[str, str], text: str) -> None:
    try:
        [[filled]] = fill_in({"StringLike": {"key": [text]}}, values.get)["StringLike"].values()
    except KeyError as missing:
        value = values.get(missing.args[0], "")
        assert not value or set(value) & set("*?$")
        return
    expected = text
    for name, value in values.items():
        expected = expected.replace(f"${{{name}}}", value)
    assert filled == expected
