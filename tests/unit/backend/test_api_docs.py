"""What the docs say of the API: the generated reference, and the guide's examples."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from backend_lambda.api.errors import STATUSES
from backend_lambda.api.openapi import document
from backend_lambda.api.reference import reference
from backend_lambda.contract.actions import ROUTES
from backend_lambda.contract.webhooks import TroubleCode
from backend_lambda.webhooks.signature import new_secret, signature_headers

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "api.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    """The guide's examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_the_committed_reference_is_up_to_date() -> None:
    made = "python -m backend_lambda.api.reference > docs/api-reference.md"
    assert (DOCS / "api-reference.md").read_text(encoding="utf-8") == reference(document()), f"stale: {made}"


def test_every_link_of_the_reference_leads_to_a_heading() -> None:
    page = reference(document())
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(#([^)]*)\)", page)
    assert links
    assert set(links) <= headings


def test_every_table_of_the_reference_is_even() -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", reference(document()), flags=re.MULTILINE)
    assert blocks
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block


def test_the_guide_knows_every_error_and_every_trouble() -> None:
    for code, status in STATUSES.items():
        assert re.search(rf"^\| {status} \|.*`{code.value}`", GUIDE, flags=re.MULTILINE), code
    for trouble in TroubleCode:
        assert f"`{trouble.value}`" in GUIDE


def test_the_guides_json_is_json_and_its_policy_names_routes_that_there_are() -> None:
    policy, *others = [json.loads(example) for example in examples("json")]
    assert len(others) == 2
    routes = [resource.split("/v1/")[1] for resource in policy["Statement"][0]["Resource"]]
    known = {re.sub(r"\{model\}", "*", route) for action in ROUTES.values() for route in action}
    for route in routes:
        pattern = re.escape(route).replace(r"\*", "[^/]+")
        assert any(re.fullmatch(pattern, one.replace("*", "x")) for one in known), route


SECRET = new_secret()
BODY = json.dumps({"type": "JobFailed", "data": {"prompt": "ein rotes Boot 🎈"}}, ensure_ascii=False).encode()


def deliveries() -> list[tuple[dict[str, str], bytes, bool]]:
    """Headers, body, and whether they are good."""
    now = int(time.time())
    good = signature_headers([SECRET], "msg_1", now, BODY)
    both = signature_headers([new_secret(), SECRET], "msg_1", now, BODY)
    signature = good["webhook-signature"]
    return [
        (good, BODY, True),
        (both, BODY, True),
        (good, BODY + b" ", False),
        (good | {"webhook-id": "msg_2"}, BODY, False),
        (good | {"webhook-timestamp": str(now + 1)}, BODY, False),
        (good | {"webhook-signature": ""}, BODY, False),
        (good | {"webhook-signature": "v1,"}, BODY, False),
        (good | {"webhook-signature": signature.replace("v1,", "v2,")}, BODY, False),
        (good | {"webhook-signature": signature.removeprefix("v1,")}, BODY, False),
        (good | {"webhook-signature": "v1,ü"}, BODY, False),
        (signature_headers([new_secret()], "msg_1", now, BODY), BODY, False),
        (signature_headers([SECRET], "msg_1", now - 301, BODY), BODY, False),
        (signature_headers([SECRET], "msg_1", now + 310, BODY), BODY, False),
    ]


def test_the_guides_python_verifies_what_is_good_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    [example] = examples("python")
    exec(example, names)
    for headers, body, expected in deliveries():
        assert names["verify"](SECRET, headers, body) is expected, headers


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_guides_javascript_verifies_what_is_good_and_nothing_else() -> None:
    [example] = examples("js")
    asked = [(headers, body.decode()) for headers, body, _ in deliveries()]
    ask = f"{json.dumps(asked)}.map(([headers, body]) => verify({json.dumps(SECRET)}, headers, body))"
    code = f"{example}\nconsole.log(JSON.stringify({ask}))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [expected for _, _, expected in deliveries()]
