"""`NameContains`, `SortOrder`, `MaxResults` and `NextToken` of the List operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.local.sagemaker.aws_protocol import validation_exception


def page(
    member: str, items: Sequence[dict[str, Any]], given: Mapping[str, Any], name: str, status: str | None = None
) -> dict[str, Any]:
    """The answer's `member` and, where there is more, its token. Raises `AwsError` for a token that is none.

    `name` and `status` are where an item has its own.
    """
    wanted = [item for item in items if given.get("NameContains", "").lower() in item[name].lower()]
    if (wanted_status := given.get("StatusEquals")) and status is not None:
        wanted = [item for item in wanted if item[status] == wanted_status]
    by = {"Name": name, "Status": status or "CreationTime"}.get(given.get("SortBy", ""), "CreationTime")
    wanted.sort(key=lambda item: item[by], reverse=given.get("SortOrder", "Descending") == "Descending")
    token = given.get("NextToken", "0")
    if not token.isdigit():
        raise validation_exception("Invalid NextToken")
    start, count = int(token), given.get("MaxResults", 10)
    answer: dict[str, Any] = {member: wanted[start : start + count]}
    if start + count < len(wanted):
        answer["NextToken"] = str(start + count)
    return answer
