"""What the template promises, read from the template itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from backend_lambda.lora_record import UPLOAD_LIFETIME, file_key, upload_key
from backend_lambda.webhooks.retries import TRIES, WAITS
from deploy.cloudformation import TEMPLATE

# IAM: these actions take no resource (Service Authorization Reference), so their statement names "*".
ACTIONS_WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    # Its only resource type is a custom adapter's version, which is not used.
    "rekognition:DetectModerationLabels",
    "iam:SimulateCustomPolicy",
}


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    return cfn_yaml.load(str(TEMPLATE))["Resources"]


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    found = {name: resource for name, resource in resources.items() if resource["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found


def allow_statements(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for name, policy in of_type(resources, "AWS::IAM::Policy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_role_has_a_star_where_the_service_takes_a_resource(resources: dict[str, Any]) -> None:
    for role, statement in allow_statements(resources):
        if "*" in as_list(statement["Resource"]):
            assert set(statement["Action"]) <= ACTIONS_WITHOUT_RESOURCE, (role, statement)


def test_no_role_has_a_wildcard_action_or_a_managed_policy(resources: dict[str, Any]) -> None:
    for role, statement in allow_statements(resources):
        assert not [action for action in as_list(statement["Action"]) if "*" in action], (role, statement)
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        assert "ManagedPolicyArns" not in role["Properties"], name


def test_every_working_queue_has_a_dead_letter_queue_with_an_alarm(resources: dict[str, Any]) -> None:
    queues = of_type(resources, "AWS::SQS::Queue")
    dead = {name for name in queues if name.endswith("DeadLetterQueue")}
    for name in set(queues) - dead:
        target = queues[name]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
        assert str(target["Fn::GetAtt"][0]) in dead
    watched = {
        str(dimension["Value"]["Fn::GetAtt"][0])
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        for dimension in alarm["Properties"]["Dimensions"]
        if isinstance(dimension["Value"], dict) and "Fn::GetAtt" in dimension["Value"]
    }
    assert dead <= watched


def test_what_the_bus_can_not_deliver_is_kept(resources: dict[str, Any]) -> None:
    admitted = {
        (str(statement["Resource"]["Fn::GetAtt"][0]), str(statement["Condition"]["ArnEquals"]["aws:SourceArn"][key][0]))
        for policy in of_type(resources, "AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
        for key in statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", {})
    }
    rules = of_type(resources, "AWS::Events::Rule")
    # A lost report of progress is followed by the next one.
    for name in set(rules) - {"ProgressRule"}:
        for target in rules[name]["Properties"]["Targets"]:
            assert (str(target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]), name) in admitted, name


def test_a_queue_waits_six_times_as_long_as_its_function_may_run(resources: dict[str, Any]) -> None:
    for name, function in of_type(resources, "AWS::Serverless::Function").items():
        for event in function["Properties"]["Events"].values():
            if event["Type"] == "SQS":
                queue = str(event["Properties"]["Queue"]["Fn::GetAtt"][0])
                visibility = resources[queue]["Properties"]["VisibilityTimeout"]
                assert visibility >= 6 * function["Properties"]["Timeout"], name
                assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_function_has_its_own_role_and_a_log_group_with_an_end(resources: dict[str, Any]) -> None:
    roles = set()
    for name, function in of_type(resources, "AWS::Serverless::Function").items():
        properties = function["Properties"]
        roles.add(str(properties["Role"]["Fn::GetAtt"][0]))
        group = resources[str(properties["LoggingConfig"]["LogGroup"]["Ref"])]
        assert "RetentionInDays" in group["Properties"], name
    assert len(roles) == len(of_type(resources, "AWS::Serverless::Function"))


def test_a_delivery_has_as_many_tries_as_its_queue_lets_it_be_received(resources: dict[str, Any]) -> None:
    queue = resources["WebhooksQueue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == TRIES
    assert timedelta(seconds=queue["MessageRetentionPeriod"]) > 2 * sum(WAITS, timedelta())


def test_webhooks_lead_to_the_public_internet_and_other_accounts_have_no_way_in_unless_asked_for() -> None:
    parameters = cfn_yaml.load(str(TEMPLATE))["Parameters"]
    assert parameters["WebhooksToLoopback"]["Default"] == "refused"
    assert parameters["ApiAccounts"]["Default"] == ""


def test_who_seals_webhooks_secrets_cannot_open_them(resources: dict[str, Any]) -> None:
    actions = {
        (role, action)
        for role, statement in allow_statements(resources)
        for action in as_list(statement["Action"])
        if action.startswith("kms:")
    }
    assert {("ApiRole", "kms:GenerateDataKey"), ("WebhooksRole", "kms:Decrypt")} <= actions
    assert {action for role, action in actions if role == "ApiRole"} == {"kms:GenerateDataKey"}
    assert {action for role, action in actions if role == "WebhooksRole"} == {"kms:Decrypt"}


def test_only_slacks_routes_are_open(resources: dict[str, Any]) -> None:
    assert resources["Api"]["Properties"]["Auth"]["DefaultAuthorizer"] == "AWS_IAM"
    open_routes = [
        event["Properties"]["Path"]
        for function in of_type(resources, "AWS::Serverless::Function").values()
        for event in function["Properties"]["Events"].values()
        if event["Type"] == "Api" and event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
    ]
    assert sorted(open_routes) == ["/slack/events", "/slack/install", "/slack/oauth_redirect"]
    [anybody, *_] = resources["Api"]["Properties"]["Auth"]["ResourcePolicy"]["CustomStatements"]
    assert anybody["Principal"] == "*" and sorted(anybody["Resource"]) == [
        "execute-api:/v1/GET/slack/install",
        "execute-api:/v1/GET/slack/oauth_redirect",
        "execute-api:/v1/POST/slack/events",
    ]


def test_tokens_are_decrypted_only_as_those_of_a_workspace(resources: dict[str, Any]) -> None:
    found = [
        (role, statement)
        for role, statement in allow_statements(resources)
        if any(str(action).startswith("kms:") for action in as_list(statement["Action"]))
    ]
    assert found
    for role, statement in found:
        assert set(statement["Action"]) <= {"kms:Decrypt", "kms:GenerateDataKey"}, role
        bound_to = "tenant" if role in {"ApiRole", "WebhooksRole"} else "workspace"
        assert list(statement["Condition"]["StringLike"]) == [f"kms:EncryptionContext:{bound_to}"], role


def test_buckets_are_private_encrypted_and_tls_only(resources: dict[str, Any]) -> None:
    protected = {
        str(policy["Properties"]["Bucket"]["Ref"])
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        if any(statement["Sid"] == "TlsOnly" for statement in policy["Properties"]["PolicyDocument"]["Statement"])
    }
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values()), name
        assert "BucketEncryption" in bucket["Properties"], name
        assert bucket["DeletionPolicy"] == "Retain", name
        assert name in protected


def test_nobody_may_ask_rekognition_unless_it_is_chosen(resources: dict[str, Any]) -> None:
    policy = resources["PictureModerationPolicy"]
    assert policy["Condition"] == "ModeratesPictures"
    assert {str(role["Ref"]) for role in policy["Properties"]["Roles"]} == {"CompletionsRole", "SweepRole"}
    asking = {name for name, statement in allow_statements(resources) if "rekognition" in str(statement["Action"])}
    assert asking == {"PictureModerationPolicy"}


def test_whoever_notes_an_endpoints_pace_can_change_nothing_else_of_it(resources: dict[str, Any]) -> None:
    table = {"Fn::GetAtt": ["EndpointsTable", "Arn"]}
    writing = {
        name: statement
        for name, statement in allow_statements(resources)
        if table in as_list(statement["Resource"]) and "dynamodb:UpdateItem" in as_list(statement["Action"])
    }
    assert set(writing) == {"CompletionsRole", "SweepRole"}
    for statement in writing.values():
        assert statement["Action"] == ["dynamodb:UpdateItem"]
        attributes = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
        assert attributes == ["name", "paced_jobs", "paced_ms", "paced_work"]


def test_tables_are_encrypted_restorable_and_kept(resources: dict[str, Any]) -> None:
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        properties = table["Properties"]
        assert properties["SSESpecification"]["SSEEnabled"], name
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], name
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain", name


def test_uploads_expire_when_their_names_do(resources: dict[str, Any]) -> None:
    [rule] = [
        rule
        for rule in resources["PicturesBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        if rule.get("Prefix") == upload_key("", "").split("/")[0] + "/"
    ]
    assert rule["Status"] == "Enabled"
    assert timedelta(days=rule["ExpirationInDays"]) == UPLOAD_LIFETIME
    assert not file_key("T1", "trn-1").startswith(rule["Prefix"])
