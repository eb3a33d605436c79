"""The template's statements for the grants and audit tables are what the access store needs, and no more."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cfnlint.decode import cfn_yaml

from backend_lambda.access_ports import AccessChange, OwnRole
from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.callers import RoleStanding
from backend_lambda.contract.access import BlockedWords
from deploy.cloudformation import TEMPLATE
from tests.contract.conftest import make_access_tables
from tests.contract.test_backend_access_store import entry, record
from tests.fakes.backend import NOON


@pytest.fixture
def as_api(ministack_url: str, aws: Clients) -> tuple[Any, str, str]:
    """A DynamoDB client with just those statements of the API function's role, and the two tables."""
    grants, audit = make_access_tables(aws)
    tables = {"GrantsTable": grants, "AuditTable": audit}
    [policy] = cfn_yaml.load(str(TEMPLATE))["Resources"]["ApiRole"]["Properties"]["Policies"]
    statements = []
    for statement in policy["PolicyDocument"]["Statement"]:
        named = statement["Resource"] if isinstance(statement["Resource"], list) else []
        names = [str(resource["Fn::GetAtt"][0]) for resource in named if "Fn::GetAtt" in resource]
        if set(names) & set(tables):
            [name] = names
            arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{tables[name]}"
            statements.append({"Effect": "Allow", "Action": list(statement["Action"]), "Resource": arn})
    assert len(statements) == 2

    def client(service: str, key: str = "test", secret: str = "test", token: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=ministack_url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    iam, role = client("iam"), f"api-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=_policy([trust]))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="only", PolicyDocument=_policy(statements))
    given = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    dynamodb = client("dynamodb", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return dynamodb, grants, audit


def test_all_that_the_store_does_is_allowed(as_api: tuple[Any, str, str]) -> None:
    client, *tables = as_api
    store = DynamoAccessStore(lambda: client, *tables)
    role = OwnRole("210987654321", "painters")
    store.write("T1", AccessChange(record(0), put=entry(), speaking=((role, None),)), version=0)
    store.write("T1", AccessChange(record(1), words=BlockedWords(words=["boat"])), version=1)
    store.write("T1", AccessChange(record(2), removed=entry().key), version=2)
    assert (store.read("T1").entries, store.read("T1").words.words) == ((), ["boat"])
    assert store.standing(role, "T1", NOON) is RoleStanding.SPEAKS
    assert store.standing(role, "T2", NOON) is RoleStanding.SILENT
    assert len(store.audit("T1", limit=9, after=None, member=None).records) == 3


def test_nothing_can_be_deleted_from_the_audit_trail(as_api: tuple[Any, str, str]) -> None:
    client, grants, audit = as_api
    DynamoAccessStore(lambda: client, grants, audit).write("T1", AccessChange(record(0), put=entry()), version=0)
    [item] = client.query(
        TableName=audit,
        KeyConditionExpression="tenant = :tenant",
        ExpressionAttributeValues={":tenant": {"S": "T1"}},
    )["Items"]
    key = {name: item[name] for name in ("tenant", "at")}
    for forbidden in (
        lambda: client.delete_item(TableName=audit, Key=key),
        lambda: client.update_item(TableName=audit, Key=key, UpdateExpression="REMOVE document"),
        lambda: client.transact_write_items(TransactItems=[{"Delete": {"TableName": audit, "Key": key}}]),
        lambda: client.scan(TableName=grants),
    ):
        with pytest.raises(ClientError) as refused:
            forbidden()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
