"""Lints IAM policies with parliament: `make policies`.

Reads what `tests.policies.rendered` prints. Runs in a virtual environment of its own (`deploy/lint-requirements.txt`)
and so imports nothing of ours. Exits with 1 when there is a finding that isn't excepted below, or an exception that
nothing needs any more.
"""

from __future__ import annotations

import json
import sys
import warnings

warnings.filterwarnings("ignore", message="pkg_resources is deprecated")

from parliament import analyze_policy_string, enhance_finding  # noqa: E402

EXCEPTIONS = {
    ("TokensKey.KeyPolicy", "RESOURCE_STAR"): "in a key's own policy, * is that key: it can name no other resource",
}


def main() -> int:
    """Prints what was found and how much was looked at."""
    found: list[str] = []
    used: set[tuple[str, str]] = set()
    policies = [json.loads(line) for line in sys.stdin]
    for policy in policies:
        document = policy["document"]
        if policy["kind"] == "trust":
            # A trust policy is about its own role and says so nowhere; parliament wants every statement to say it.
            statements = [{**statement, "Resource": policy["resource"]} for statement in document["Statement"]]
            document = {**document, "Statement": statements}
        for finding in analyze_policy_string(json.dumps(document)).findings:
            key = (policy["name"], finding.issue)
            if key in EXCEPTIONS:
                used.add(key)
                continue
            finding = enhance_finding(finding)
            found.append(f"{policy['name']}: {finding.severity} {finding.issue} {finding.title}. {finding.detail}")
    found += [f"{name}: no longer has {issue}, so it needs no exception" for name, issue in EXCEPTIONS.keys() - used]
    for line in found:
        print(line, file=sys.stderr)
    for name, issue in sorted(used):
        print(f"excepted: {name} {issue}: {EXCEPTIONS[name, issue]}")
    print(f"parliament: {len(policies)} policies, {len(found)} findings, {len(used)} excepted")
    return 1 if found or not policies else 0


if __name__ == "__main__":
    sys.exit(main())
