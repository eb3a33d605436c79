"""The local AWS: MiniStack, and what only it can do for a service beside it.

`python -m deploy.local.aws_gateway` runs MiniStack with the environment of `gateway_environment`. What is added:

- Every request counts as sent over TLS, as on AWS, so that policies that deny plain HTTP hold here as well. The gateway
  listens on 127.0.0.1 alone.
- Roles' trust policies are evaluated in full (`deploy.local.role_trust`).
- IAM knows the condition keys `kms:EncryptionContext:…`, `kms:EncryptionContextKeys` and `events:source` of a request.
- Policies are simulated in full (`deploy.local.policy_simulator`).
- Below `/_easel/`, for the SageMaker stand-in (it proves itself with the root secret key):
  `POST /_easel/authorize` verifies another request's signature and asks IAM whether its caller may do an action;
  `POST /_easel/service-session` gives a service the credentials of a role that trusts it, which on AWS is internal;
  `POST /_easel/service-event` puts an event of an `aws.` source on the default bus, as only AWS's services may.

MiniStack's private names are used in this file, `role_trust.py` and `policy_simulator.py` alone; they are those of
1.5.33, which `deploy/requirements.txt` pins.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROOF_HEADER = "x-easel-root-secret"
SESSION_SECONDS = 3600


def gateway_environment(
    inherited: Mapping[str, str],
    *,
    port: int,
    access_key: str,
    secret_key: str,
    folder: Path,
    sagemaker_url: str,
) -> dict[str, str]:
    """What to start the gateway with. Its Lambda functions inherit it, and so find SageMaker's stand-in.

    `folder`: for everything that MiniStack leaves lying about. Credentials and Python paths are not inherited.
    """
    dropped = ("AWS_", "MINISTACK_", "PYTHONPATH", "LAMBDA_", "S3_", "PERSIST_STATE", "STATE_DIR")
    return {
        **{name: value for name, value in inherited.items() if not name.startswith(dropped)},
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(folder),
        "AWS_ENDPOINT_URL_SAGEMAKER": sagemaker_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": sagemaker_url,
        "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": sagemaker_url,
    }


def with_questions(ministack: App, root_secret: str) -> App:
    """MiniStack's application with the routes above."""
    routes = {
        "/_easel/authorize": authorize,
        "/_easel/service-session": service_session,
        "/_easel/service-event": service_event,
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await ministack(scope, receive, send)
            return
        answer = routes.get(scope["path"])
        if answer is None:
            headers = [pair for pair in scope["headers"] if pair[0].lower() != b"x-forwarded-proto"]
            await ministack({**scope, "headers": [*headers, (b"x-forwarded-proto", b"https")]}, receive, send)
            return
        given = dict(scope["headers"]).get(PROOF_HEADER.encode(), b"").decode()
        if not hmac.compare_digest(given, root_secret):
            await _send_json(send, 403, {"message": "for services of the local stack"})
            return
        question = json.loads(await _read(receive))
        # MiniStack keeps the request's account, region and signature in context variables: each thread has its copy.
        await _send_json(send, 200, await asyncio.to_thread(answer, question))

    return app


def with_more_conditions(known: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """MiniStack's reader of a request's condition keys, and those that it leaves out.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """

    def read(service: str, iam_action: str, body: bytes, params: Any) -> dict[str, Any]:
        context = known(service, iam_action, body, params)
        if service not in {"kms", "events"}:
            return context
        try:
            given = json.loads(body or b"{}")
        except ValueError:
            return context
        if service == "events":
            entries = given.get("Entries") or []
            return {**context, "events:source": [entry.get("Source", "") for entry in entries]} if entries else context
        pairs: dict[str, str] = given.get("EncryptionContext") or {}
        if pairs:
            context |= {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()}
            context["kms:EncryptionContextKeys"] = list(pairs)
        return context

    return read


def authorize(question: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the caller of a request may do `action` on `resource`.

    `question`: the request as it arrived (`method`, `raw_path`, `query`, `headers` as pairs, `body` in base64), the
    `service` and the IAM `action` and `resource` that it stands for (`{region}` and `{account}` are filled in), and
    `conditions`: the action's own condition keys.
    The answer: `allowed`, and the caller's `account`; or an AWS error's `status`, `code` and `message`.
    """
    from ministack.core import iam_actions, iam_evaluator, responses, router

    raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in question["headers"]]
    headers = {name.lower(): value for name, value in question["headers"]}
    query = parse_qs(question["query"], keep_blank_values=True)
    service, action, resource = question["service"], question["action"], question["resource"]
    key = router.extract_access_key_id(headers, query)
    region = router.extract_region(headers, query)
    try:
        responses.set_request_account_id(iam_evaluator.find_iam_access_key_account(key or "") or key)
    except iam_evaluator.AmbiguousAccessKeyError:
        return _refused(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    responses.set_request_region(region)
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    iam_evaluator.pin_signed_request(question["method"], question["raw_path"], query, raw_headers)
    iam_evaluator.pin_signed_body(base64.b64decode(question["body"]))
    account = responses.get_account_id()
    arn = resource.replace("{account}", account).replace("{region}", region)
    denied = iam_evaluator.enforce(
        key, action, service, region, resource_arn=arn, service_context=question.get("conditions")
    )
    if denied is None:
        return {"allowed": True, "account": account, "region": region}
    if isinstance(denied, iam_evaluator.AuthError):
        code, status, message = iam_actions._auth_failure(service, denied.code, denied.message, headers)
        return _refused(status, code, message)
    message = iam_actions.identity_denial_message(action, denied.principal_arn, arn, denied.decision == "Deny")
    return _refused(400 if "x-amz-target" in headers else 403, "AccessDeniedException", message)


def service_session(question: Mapping[str, Any]) -> dict[str, Any]:
    """Temporary credentials of `role_arn` for `service` (`sagemaker.amazonaws.com`), if the role's trust allows it.

    Conditions may ask for the account in whose name the service acts (`aws:SourceAccount`).
    """
    from ministack.core import iam_evaluator, responses
    from ministack.services import iam, sts

    role_arn, service, name = question["role_arn"], question["service"], question["session_name"]
    parts = role_arn.split(":")
    if len(parts) != 6 or not parts[5].startswith("role/"):
        return _refused(400, "ValidationException", f"{role_arn} is not the ARN of a role")
    account, role_name = parts[4], role_arn.rsplit("/", 1)[-1]
    responses.set_request_account_id(account)
    role = iam._roles.get_scoped(account, None, role_name)
    trust = _document(role.get("AssumeRolePolicyDocument", "{}")) if role else {}
    named = [
        statement
        for statement in _listed(trust.get("Statement", []))
        if iam_evaluator._service_principal_matches(statement.get("Principal", {}), service)
    ]
    root = f"arn:aws:iam::{account}:root"  # in whose name MiniStack evaluates service principals
    context = iam_evaluator.EvalContext(
        principal_arn=root,
        principal_type="Service",
        principal_account=account,
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region=responses.get_region(),
        service_context={"aws:sourceaccount": account},
    )
    if not iam_evaluator.evaluate_trust_policy({**trust, "Statement": named}, root, context):
        message = f"User: {service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        return _refused(403, "AccessDenied", message)
    key, secret, token = "ASIA" + secrets.token_hex(8).upper(), secrets.token_hex(20), secrets.token_hex(64)
    expiration = time.time() + SESSION_SECONDS
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{name}",
        "UserId": f"{sts._role_id(role_arn)}:{name}",
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": expiration,
    }
    sts.register_session(key, session)
    return {
        "allowed": True,
        "credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": token,
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiration)),
        },
    }


def service_event(question: Mapping[str, Any]) -> dict[str, Any]:
    """Puts an event on the default bus of `account`: `region`, `source`, `detail_type`, `detail`, `resources`."""
    from ministack.core import responses
    from ministack.services import eventbridge

    responses.set_request_account_id(question["account"])
    responses.set_request_region(question["region"])
    entry = {
        "Source": question["source"],
        "DetailType": question["detail_type"],
        "Detail": json.dumps(question["detail"]),
        "Resources": question["resources"],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    return {"allowed": True}


def _refused(status: int, code: str, message: str) -> dict[str, Any]:
    return {"allowed": False, "status": status, "code": code, "message": message}


def _document(policy: str | dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    return parsed


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _send_json(send: Send, status: int, body: Mapping[str, Any]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def main() -> None:
    """Run MiniStack until SIGTERM."""
    import ministack.app
    from ministack.core import iam_actions

    from deploy.local.policy_simulator import simulate_in_full
    from deploy.local.role_trust import evaluate_trust_in_full

    simulate_in_full()
    evaluate_trust_in_full()
    # Looked up at each request.
    iam_actions.request_tag_context = with_more_conditions(iam_actions.request_tag_context)
    ministack.app.app = with_questions(ministack.app.app, os.environ["AWS_SECRET_ACCESS_KEY"])
    ministack.app.main()


if __name__ == "__main__":
    main()
