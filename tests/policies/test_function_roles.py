"""What the roles of functions and endpoints can't do, as the policy simulator sees it. Roles that are added, too."""

from __future__ import annotations

import pytest

from tests.policies.rendered import ACCOUNT, REGION, STACK, Kind, template
from tests.policies.simulator import Question, Simulator

pytestmark = pytest.mark.simulator

PEOPLE = ("ArtistRole", "TrainerRole", "OperatorRole", "AdminRole")
OWN_KEY = template().arn("TokensKey")


def in_region(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def under(owner: str, key: str) -> str:
    return f"{template().arn(owner)}/{key}"


NEVER = {
    "other buckets": [
        *((f"s3:{action}", "arn:aws:s3:::another-bucket/key") for action in ("GetObject", "PutObject", "DeleteObject")),
        ("s3:ListBucket", "arn:aws:s3:::another-bucket"),
        ("s3:ListAllMyBuckets", "*"),
    ],
    "buckets' settings": [
        *((f"s3:{action}", template().arn(bucket))
          for bucket in ("PicturesBucket", "ModelsBucket")
          for action in ("PutBucketPolicy", "DeleteBucket", "PutLifecycleConfiguration", "PutBucketPublicAccessBlock")),
    ],
    "what is in the pictures bucket beside jobs": [
        *((f"s3:{action}", under("PicturesBucket", "elsewhere/key"))
          for action in ("GetObject", "PutObject", "DeleteObject")),
    ],
    "writing models": [
        *((f"s3:{action}", under("ModelsBucket", "tiny/weights")) for action in ("PutObject", "DeleteObject")),
    ],
    "other tables": [
        *((f"dynamodb:{action}", in_region("dynamodb", "table/another"))
          for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")),
        ("dynamodb:ListTables", "*"),
    ],
    "tables themselves": [
        *((f"dynamodb:{action}", template().arn(table))
          for table in ("JobsTable", "GrantsTable", "AuditTable")
          for action in ("DeleteTable", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups")),
    ],
    "changing what was audited": [
        *((f"dynamodb:{action}", template().arn("AuditTable")) for action in ("UpdateItem", "DeleteItem")),
    ],
    "reading everyone's grants or audit records at once": [
        ("dynamodb:Scan", template().arn("GrantsTable")),
        ("dynamodb:Scan", template().arn("AuditTable")),
    ],
    "other secrets": [
        *((f"secretsmanager:{action}", in_region("secretsmanager", "secret:another-AbCdEf"))
          for action in ("GetSecretValue", "PutSecretValue", "DeleteSecret")),
        ("secretsmanager:PutSecretValue", template().arn("SlackSecret")),
        ("secretsmanager:DeleteSecret", template().arn("SlackSecret")),
    ],
    "keys": [
        *((f"kms:{action}", OWN_KEY)
          for action in ("ScheduleKeyDeletion", "DisableKey", "PutKeyPolicy", "CreateGrant")),
        *((f"kms:{action}", in_region("kms", "key/11111111-0000-4000-8000-000000000000"))
          for action in ("Decrypt", "GenerateDataKey")),
    ],
    "IAM": [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
        ("iam:PutRolePolicy", template().arn("ArtistRole")),
        ("iam:UpdateAssumeRolePolicy", template().arn("AdminRole")),
        ("iam:PassRole", template().arn("AdminRole")),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/easel/mine"),
    ],
    "roles out of reach": [
        *(("sts:AssumeRole", role) for role in (
            template().arn("EndpointRole"), template().arn("ApiRole"), f"arn:aws:iam::{ACCOUNT}:role/Administrator",
            f"arn:aws:iam::{ACCOUNT}:role/{STACK}-admin2", "arn:aws:iam::999988887777:role/Administrator")),
    ],
    "functions, queues and topics of others": [
        ("lambda:InvokeFunction", in_region("lambda", "function:another")),
        *(("lambda:UpdateFunctionCode", template().arn(name)) for name in ("ApiFunction", "WorkerFunction")),
        ("sqs:SendMessage", in_region("sqs", "another")),
        ("sqs:PurgeQueue", template().arn("InvocationsQueue")),
        ("sns:Publish", in_region("sns", "another")),
        ("events:PutEvents", in_region("events", "event-bus/default")),
    ],
    "logs of others": [
        ("logs:GetLogEvents", in_region("logs", "log-group:another:log-stream:x")),
        ("logs:DeleteLogGroup", in_region("logs", "log-group:another")),
    ],
    "other endpoints": [
        ("sagemaker:InvokeEndpointAsync", in_region("sagemaker", "endpoint/another")),
        ("sagemaker:InvokeEndpointAsync", f"arn:aws:sagemaker:{REGION}:999988887777:endpoint/{STACK}-tiny"),
    ],
    "other training jobs": [
        *((f"sagemaker:{action}", in_region("sagemaker", name))
          for action in ("CreateTrainingJob", "StopTrainingJob", "DescribeTrainingJob")
          for name in ("training-job/another", f"training-job/{STACK}-by-hand", f"training-job/{STACK}2-trn-a")),
        ("iam:PassRole", template().arn("EndpointRole")),
    ],
    "the API's own configuration": [("apigateway:PATCH", f"arn:aws:apigateway:{REGION}::/restapis/a1b2c3d4e5")],
}  # fmt: skip

# What only some may do, and who: the others may not.
ONLY = {
    ("sts:AssumeRole", template().arn("ArtistRole")): {"WorkerRole"},
    ("sts:AssumeRole", "arn:aws:iam::999988887777:role/easel/painter"): {"WorkerRole"},
    ("dynamodb:PutItem", template().arn("JobsTable")): {"ApiRole"},
    # Trainings are finished by their own function, and by the sweeper.
    ("dynamodb:PutItem", template().arn("LorasTable")): {"ApiRole", "SweepRole", "TrainingsRole"},
    ("dynamodb:Scan", template().arn("LorasTable")): set(),
    # What nobody has looked at yet is for whoever looks at it: no endpoint opens it.
    ("s3:GetObject", under("PicturesBucket", "uploads/tenants/T1/loras/upl-1")): {"ApiRole"},
    ("s3:PutObject", under("PicturesBucket", "uploads/tenants/T1/loras/upl-1")): {"ApiRole"},
    ("s3:GetObject", under("PicturesBucket", "tenants/T1/loras/trn-1.safetensors")): {
        "ApiRole",
        "EndpointRole",
        "ResultsRole",
        "SweepRole",
        "TrainingsRole",
        "WorkerRole",
    },
    # Not the endpoint's, which anyone's prompt runs on.
    ("s3:PutObject", under("PicturesBucket", "tenants/T1/loras/trn-1.safetensors")): {
        "ApiRole",
        "SweepRole",
        "TrainingsRole",
    },
    ("s3:PutObject", under("PicturesBucket", "tenants/T1/jobs/j/0.png")): {
        "ApiRole",
        "CompletionsRole",
        "EndpointRole",
        "SweepRole",
    },
    ("sagemaker:InvokeEndpointAsync", in_region("sagemaker", f"endpoint/{STACK}-tiny")): {"ApiRole", "SweepRole"},
    ("sns:Publish", template().arn("SuccessTopic")): {"EndpointRole"},
    ("s3:GetObject", under("ModelsBucket", "tiny/model.safetensors")): {"EndpointRole", "TrainingRole"},
    ("sagemaker:CreateTrainingJob", in_region("sagemaker", f"training-job/{STACK}-trn-a")): {"ApiRole", "SweepRole"},
    ("sagemaker:StopTrainingJob", in_region("sagemaker", f"training-job/{STACK}-trn-a")): {
        "ApiRole",
        "SweepRole",
        "TrainingsRole",
    },
    ("dynamodb:PutItem", template().arn("TrainingsTable")): {"ApiRole", "SweepRole", "TrainingsRole"},
    ("s3:GetObject", under("PicturesBucket", "tenants/T1/trainings/t/dataset/a.png")): {
        "ApiRole",
        "ResultsRole",
        "SweepRole",
        "TrainingRole",
        "TrainingsRole",
        "WorkerRole",
    },
    ("s3:PutObject", under("PicturesBucket", "tenants/T1/trainings/t/progress.json")): {
        "ApiRole",
        "SweepRole",
        "TrainingRole",
    },
    ("sqs:SendMessage", template().arn("InvocationsQueue")): {"SlackRole"},
    ("s3:DeleteObject", under("PicturesBucket", "tenants/T1/jobs/j/0.png")): {
        "ApiRole",
        "CompletionsRole",
        "SweepRole",
    },
}


def working_roles() -> list[str]:
    return [
        name
        for name, resource in template().resources.items()
        if resource["Type"] == "AWS::IAM::Role" and name not in PEOPLE
    ]


def questions(role: str, asked: list[tuple[str, str]]) -> list[Question]:
    identity = tuple(
        policy.name for policy in template().policies() if policy.owner == role and policy.kind is Kind.IDENTITY
    )
    principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{template().arn(role).rsplit('/', 1)[-1]}/session"
    return [Question(principal, action, resource, ACCOUNT, identity) for action, resource in asked]


@pytest.mark.parametrize("role", [*working_roles(), *PEOPLE])
def test_no_role_does_what_none_should(simulator: Simulator, role: str) -> None:
    asked = [(what, one) for what, some in NEVER.items() for one in some]
    answers = simulator.allows(questions(role, [one for _, one in asked]))
    assert [one for one, answer in zip(asked, answers, strict=True) if answer] == []


@pytest.mark.parametrize(("action", "resource"), ONLY)
def test_only_some_do_what_some_should(simulator: Simulator, action: str, resource: str) -> None:
    roles = [*working_roles(), *PEOPLE]
    answers = simulator.allows([one for role in roles for one in questions(role, [(action, resource)])])
    assert {role for role, answer in zip(roles, answers, strict=True) if answer} == ONLY[action, resource]
