"""Which accounts' principals may call the API: the template's resource policy, deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cfnlint.decode import cfn_yaml
from ministack.core.iam_evaluator import EvalContext, combine_resource_policy, evaluate, parse_policy_document

from deploy.cloudformation import TEMPLATE, deploy_stack
from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws, policy, wait_for

ADMITTED, ALSO_ADMITTED, STRANGER = "111122223333", "444455556666", "777788889999"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("accounts")) as aws:
        yield aws


class Apis:
    """APIs with nothing but the resource policy of `deploy/template.yaml`, under the parameter that decides it.

    MiniStack leaves out the policy inside an API's OpenAPI body, which is where SAM puts it, and keeps one that is a
    property of the API. So CloudFormation fills the template's own statements into such a property.
    """

    def __init__(self, aws: LocalAws) -> None:
        template = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE))))
        auth = template["Resources"]["Api"]["Properties"]["Auth"]
        document = {"Version": "2012-10-17", "Statement": auth["ResourcePolicy"]["CustomStatements"]}
        self._aws = aws
        self._body = json.dumps(
            {
                "Parameters": {"ApiAccounts": template["Parameters"]["ApiAccounts"]},
                "Conditions": {"HasApiAccounts": template["Conditions"]["HasApiAccounts"]},
                "Resources": {
                    "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api", "Policy": document}}
                },
                "Outputs": {"ApiId": {"Value": {"Ref": "Api"}}},
            }
        )

    def policy(self, stack: str, accounts: str | None) -> tuple[str, dict[str, Any]]:
        """The API's id, and its policy with whole ARNs. None: the parameter is not given."""
        cloudformation = self._aws.client("cloudformation")
        parameters = [] if accounts is None else [{"ParameterKey": "ApiAccounts", "ParameterValue": accounts}]
        try:
            cloudformation.update_stack(StackName=stack, TemplateBody=self._body, Parameters=parameters)
        except cloudformation.exceptions.ClientError:
            cloudformation.create_stack(StackName=stack, TemplateBody=self._body, Parameters=parameters)
        wait_for(lambda: stack_status(cloudformation, stack) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, 10)
        [output] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
        api: str = output["OutputValue"]
        text = self._aws.client("apigateway").get_rest_api(restApiId=api)["policy"].replace('\\"', '"')
        return api, json.loads(text.replace("execute-api:/", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/"))


def stack_status(cloudformation: Any, stack: str) -> str:
    status: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    assert "ROLLBACK" not in status and "FAILED" not in status
    return status


@pytest.fixture(scope="module")
def apis(aws: LocalAws) -> Apis:
    return Apis(aws)


@pytest.fixture(scope="module")
def open_api(apis: Apis) -> tuple[str, dict[str, Any]]:
    """An API that two other accounts may call."""
    return apis.policy("open", f"{ADMITTED},{ALSO_ADMITTED}")


@pytest.fixture(scope="module")
def closed_api(apis: Apis) -> tuple[str, dict[str, Any]]:
    """An API as the template makes it by default."""
    return apis.policy("closed", None)


def may_call(api: tuple[str, dict[str, Any]], principal: str, route: str, own_policy: list[str]) -> bool:
    """Whether IAM lets the principal call a route, if its own account's policies allow it `own_policy`'s routes.

    MiniStack looks for an API in the caller's account alone, so a call of another account never arrives; its evaluator
    knows how the policies of two accounts go together (both must allow).
    """
    name, resource_policy = api
    prefix = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{name}/v1/"
    context = EvalContext(
        principal_arn=principal,
        principal_type="User",
        principal_account=principal.split(":")[4],
        action="execute-api:Invoke",
        resource_arn=prefix + route,
        region=REGION,
    )
    allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": [prefix + one for one in own_policy]}
    identity = evaluate(context, [parse_policy_document(policy([allow]))])
    return combine_resource_policy(identity, context, resource_policy, ACCOUNT).decision == "Allow"


ROUTES = ["GET/jobs", "GET/jobs/job-1", "POST/endpoints/tiny/jobs", "POST/webhooks", "PUT/grants/member/U1"]
Api = tuple[str, dict[str, Any]]


@pytest.mark.parametrize("route", ROUTES)
def test_principals_of_the_listed_accounts_come_in_where_their_own_account_lets_them(open_api: Api, route: str) -> None:
    for account in (ACCOUNT, ADMITTED, ALSO_ADMITTED):
        for principal in (f"arn:aws:iam::{account}:user/ci", f"arn:aws:sts::{account}:assumed-role/render-farm/i-1"):
            assert may_call(open_api, principal, route, ["*"])
            assert not may_call(open_api, principal, route, ["GET/endpoints"])


@pytest.mark.parametrize("route", ROUTES)
def test_a_principal_of_any_other_account_does_not(open_api: Api, closed_api: Api, route: str) -> None:
    assert not may_call(open_api, f"arn:aws:iam::{STRANGER}:user/ci", route, ["*"])
    assert may_call(closed_api, f"arn:aws:iam::{ACCOUNT}:user/ci", route, ["*"])
    for account in (ADMITTED, STRANGER):
        assert not may_call(closed_api, f"arn:aws:iam::{account}:user/ci", route, ["*"])


def test_the_list_can_be_given_and_taken_away(apis: Apis) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:root"
    for accounts, expected in ((None, own), (ADMITTED, [ACCOUNT, ADMITTED]), ("", own)):
        _, document = apis.policy("changing", accounts)
        slack, everything_else = document["Statement"]
        assert slack["Principal"] == "*"
        assert all("/slack/" in resource for resource in slack["Resource"])
        assert everything_else["Principal"] == {"AWS": expected}


@pytest.mark.parametrize("accounts", ["12345", f"{ADMITTED},*", "arn:aws:iam::111122223333:root"])
def test_what_is_no_account_is_refused(apis: Apis, accounts: str) -> None:
    with pytest.raises(ClientError, match="ApiAccounts"):
        apis.policy("refused", accounts)


def test_the_whole_template_deploys_with_the_list_and_its_own_users_come_in(aws: LocalAws) -> None:
    aws.client("s3").create_bucket(Bucket="easel-code")
    parameters = {"ApiAccounts": f"{ADMITTED},{ALSO_ADMITTED}"}
    api = deploy_stack(SimpleNamespace(client=aws.client), "easel", "easel-code", parameters)["ApiId"]
    iam = aws.client("iam")
    iam.create_user(UserName="ci")
    allow = {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/v1/GET/jobs",
    }
    iam.put_user_policy(UserName="ci", PolicyName="easel", PolicyDocument=policy([allow]))
    made = iam.create_access_key(UserName="ci")["AccessKey"]
    statuses = {}
    for path in ("/jobs", "/endpoints"):
        request = AWSRequest("GET", f"{aws.url}/_aws/execute-api/{api}/v1{path}")
        SigV4Auth(Credentials(made["AccessKeyId"], made["SecretAccessKey"]), "execute-api", REGION).add_auth(request)
        statuses[path] = httpx.get(request.url, headers=dict(request.headers), timeout=30).status_code
    assert statuses == {"/jobs": 200, "/endpoints": 403}
