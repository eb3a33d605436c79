"""The IAM policies of `deploy/template.yaml` with every name filled in, for the linter and the policy simulator.

`python -m tests.policies.rendered` prints them and those that the code makes, one JSON object a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cfnlint.decode import cfn_yaml

from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from backend_lambda.contract.guardrails import session_policy
from deploy.cloudformation import TEMPLATE
from deploy.own_roles import role_policy, trust_policy

PARTITION, REGION, ACCOUNT, STACK, API = "aws", "us-east-1", "111122223333", "easel", "a1b2c3d4e5"
API_ARN = f"arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:{API}/v1"
_PSEUDO = {
    "AWS::Partition": PARTITION,
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
_REGIONAL = {
    "AWS::DynamoDB::Table": "dynamodb:{where}:table/{name}",
    "AWS::SQS::Queue": "sqs:{where}:{name}",
    "AWS::SNS::Topic": "sns:{where}:{name}",
    "AWS::Events::EventBus": "events:{where}:event-bus/{name}",
    "AWS::Events::Rule": "events:{where}:rule/{name}",
    "AWS::Logs::LogGroup": "logs:{where}:log-group:{name}:*",
    "AWS::SecretsManager::Secret": "secretsmanager:{where}:secret:{name}-AbCdEf",
    "AWS::KMS::Key": "kms:{where}:key/{id}",
    "AWS::Serverless::Function": "lambda:{where}:function:{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
}
_ARN_BY_REF = ("AWS::SNS::Topic", "AWS::SecretsManager::Secret")
_NAMED_BY = {"AWS::IAM::Role": "RoleName", "AWS::Events::EventBus": "Name"}


class Kind(StrEnum):
    """What a policy is attached to."""

    IDENTITY = "identity"
    TRUST = "trust"
    RESOURCE = "resource"


@dataclass(frozen=True)
class Policy:
    """`owner` is the resource's name in the template, `resource` the role that a trust policy is about (or "");
    `document` has no intrinsic function left.
    """

    owner: str
    kind: Kind
    name: str
    document: dict[str, Any]
    resource: str = ""

    @property
    def statements(self) -> list[dict[str, Any]]:
        """What it says."""
        return list(self.document["Statement"])


class NotRendered(ValueError):
    """The template uses something that this doesn't know."""


class Template:
    """A SAM template, and the names that its resources would get. `parameters` override the defaults."""

    def __init__(self, path: Path = TEMPLATE, parameters: Mapping[str, Any] | None = None) -> None:
        self.document = cfn_yaml.load(str(path))
        self.resources: dict[str, Any] = self.document["Resources"]
        given = parameters or {}
        self._parameters = {
            name: given.get(name, _default(name, parameter)) for name, parameter in self.document["Parameters"].items()
        }

    def arn(self, resource: str) -> str:
        """Of a resource, by its name in the template."""
        form = _REGIONAL.get(self.resources[resource]["Type"])
        if form is None:
            raise NotRendered(f"the ARN of {resource}")
        filled = form.format(
            where=f"{REGION}:{ACCOUNT}", account=ACCOUNT, name=self._name(resource), id=uuid5(NAMESPACE_OID, resource)
        )
        return f"arn:{PARTITION}:{filled}"

    def policies(self) -> list[Policy]:
        """Every policy document in the template, wherever it stands."""
        return list(self._policies)

    @cached_property
    def _policies(self) -> list[Policy]:
        return [policy for name, resource in self.resources.items() for policy in self._of(str(name), resource)]

    def role_of(self, function: str) -> str:
        """The name in the template of a function's role."""
        return str(self.resources[function]["Properties"]["Role"]["Fn::GetAtt"][0])

    def routes(self, *, is_open: bool) -> list[tuple[str, str]]:
        """Method and path of the API's routes: those that IAM decides on, or those that are open to anyone."""
        return [
            (str(event["Properties"]["Method"]).upper(), str(event["Properties"]["Path"]))
            for resource in self.resources.values()
            if resource["Type"] == "AWS::Serverless::Function"
            for event in resource["Properties"].get("Events", {}).values()
            if event["Type"] == "Api" and (event["Properties"].get("Auth", {}).get("Authorizer") == "NONE") == is_open
        ]

    def render(self, value: Any) -> Any:
        """`value` with its intrinsic functions worked out."""
        match value:
            case dict() if len(value) == 1 and str(next(iter(value))) in self._functions:
                name, argument = next(iter(value.items()))
                return self._functions[str(name)](self, argument)
            case dict():
                return {str(key): self.render(item) for key, item in value.items()}
            case list():
                return [self.render(item) for item in value]
            case str():
                return str(value)
            case _:
                return value

    def _of(self, owner: str, resource: Any) -> Iterator[Policy]:
        for where, found in _documents(resource["Properties"], ()):
            kind = Kind.RESOURCE
            if resource["Type"] == "AWS::IAM::Role":
                kind = Kind.TRUST if where[0] == "AssumeRolePolicyDocument" else Kind.IDENTITY
            elif resource["Type"] == "AWS::Serverless::Function":
                raise NotRendered(f"{owner}: a function's policies belong to its role")
            about = self.arn(owner) if kind is Kind.TRUST else ""
            yield Policy(owner, kind, f"{owner}.{'.'.join(where)}", self.render(found), about)
        statements = resource["Properties"].get("Auth", {}).get("ResourcePolicy", {}).get("CustomStatements")
        if statements is not None:
            yield Policy(owner, Kind.RESOURCE, f"{owner}.ResourcePolicy", self._api_policy(statements))

    def _api_policy(self, statements: Any) -> dict[str, Any]:
        # API Gateway keeps `execute-api:/v1/…` as the API's own ARN.
        rendered = [
            {**one, "Resource": [path.replace("execute-api:/v1", API_ARN) for path in _listed(one["Resource"])]}
            for one in self.render(statements)
        ]
        return {"Version": "2012-10-17", "Statement": rendered}

    def _ref(self, name: Any) -> Any:
        if str(name) in _PSEUDO:
            return _PSEUDO[str(name)]
        if name in self._parameters:
            return self._parameters[name]
        kind = self.resources[name]["Type"]
        if kind == "AWS::Serverless::Api":
            return API
        return self.arn(str(name)) if kind in _ARN_BY_REF else self._name(str(name))

    def _attribute(self, argument: Any) -> str:
        name, attribute = argument if isinstance(argument, list) else str(argument).split(".", 1)
        if attribute in ("Arn", "Id"):
            return self.arn(str(name))
        if attribute in ("QueueName", "TopicName"):
            return self._name(str(name))
        raise NotRendered(f"{name}.{attribute}")

    def _substitute(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return str(self.render(own[name]))
            return str(self._attribute(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, str(text))

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.render(then if self._holds(self.document["Conditions"][condition]) else otherwise)

    def _holds(self, condition: Any) -> bool:
        name, argument = next(iter(condition.items()))
        match str(name):
            case "Fn::Equals":
                first, second = (self.render(one) for one in argument)
                return bool(first == second)
            case "Fn::Not":
                return not self._holds(argument[0])
            case _:
                raise NotRendered(f"the condition {name}")

    def _join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(str(part) for part in _listed(self.render(parts)))

    def _select(self, argument: Any) -> Any:
        number, some = argument
        return self.render(some)[int(number)]

    def _split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self.render(text)).split(str(separator))

    def _name(self, resource: str) -> str:
        given = self.resources[resource]["Properties"].get(_NAMED_BY.get(self.resources[resource]["Type"], ""))
        return str(self.render(given)) if given is not None else f"{STACK}-{resource}".lower()

    _functions: Mapping[str, Any] = {
        "Ref": _ref,
        "Fn::GetAtt": _attribute,
        "Fn::Sub": _substitute,
        "Fn::If": _if,
        "Fn::Join": _join,
        "Fn::Select": _select,
        "Fn::Split": _split,
    }


@lru_cache
def template() -> Template:
    """The deployment's own, with its defaults."""
    return Template()


def policy_of(owner: str, kind: Kind) -> Policy:
    """The one policy of this kind that a resource has."""
    [policy] = [one for one in template().policies() if (one.owner, one.kind) == (owner, kind)]
    return policy


def _default(name: str, parameter: Any) -> Any:
    default = parameter.get("Default", f"given-{name}".lower())
    return str(default).split(",") if parameter["Type"] == "CommaDelimitedList" else default


def _documents(value: Any, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield where, value
        else:
            for key, item in value.items():
                yield from _documents(item, (*where, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _documents(item, (*where, str(number)))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def made_elsewhere() -> list[Policy]:
    """What isn't in the template but made by the code: policies for a customer's own roles, guardrails' sessions."""
    own, worker = f"arn:{PARTITION}:iam::{ACCOUNT}:role/easel/own", template().arn("WorkerRole")
    return [
        Policy("deploy", Kind.TRUST, "trust-policy.one", trust_policy(worker, ["T1"]), own),
        Policy("deploy", Kind.TRUST, "trust-policy.several", trust_policy(worker, ["T1", "T2"]), own),
        *(
            Policy("deploy", Kind.IDENTITY, f"role-policy.{role}", role_policy(API_ARN, role, ["tiny"]))
            for role in ROLE_ACTIONS
        ),
        Policy("bot", Kind.IDENTITY, "guardrail", json.loads(session_policy(list(Action), ["tiny"], API_ARN))),
    ]


if __name__ == "__main__":
    for policy in [*template().policies(), *made_elsewhere()]:
        print(json.dumps(asdict(policy)))
