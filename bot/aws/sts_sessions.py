"""Assumed roles that carry who is asking, on STS."""

from __future__ import annotations

import hashlib
import re

from bot.aws.clients import AwsClients, error_code
from bot.logs import log
from bot.ports.backend import Caller, Credentials, Grant, RoleRefused
from bot.ports.clock import Clock

SESSION_SECONDS = 3600
"""The most that one role may assume another for."""
MARGIN_SECONDS = 300
MAX_CACHED = 500
NAME_CHARS = 64
REFUSED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "MalformedPolicyDocument",
        "NoSuchEntity",
        "PackedPolicyTooLarge",
        "ValidationError",
    }
)


class StsSessions:
    """Implements `bot.ports.backend.Sessions`.

    Credentials are kept in memory until they near their end: per role, external id, session policy and caller, who is
    somebody in a channel and perhaps in a user group. Whether the grant still counts is decided before each use.
    """

    def __init__(self, clients: AwsClients, clock: Clock) -> None:
        self._sts = clients.get("sts")
        self._clock = clock
        self._kept: dict[tuple[Grant, Caller], Credentials] = {}

    def assume(self, grant: Grant, caller: Caller) -> Credentials:
        """Credentials that are good for at least five minutes."""
        kept = self._kept.get((grant, caller))
        if kept is not None and kept.expires_at - MARGIN_SECONDS > self._clock.now():
            return kept
        name = session_name(caller)
        policy = {"Policy": grant.policy} if grant.policy else {}
        try:
            answer = self._sts.assume_role(
                RoleArn=grant.role_arn,
                RoleSessionName=name,
                SourceIdentity=source_identity(caller),
                ExternalId=grant.external_id,
                **policy,
                DurationSeconds=SESSION_SECONDS,
                Tags=[
                    {"Key": "workspace", "Value": encode_id(caller.team)},
                    {"Key": "channel", "Value": encode_id(caller.channel)},
                    {"Key": "member", "Value": encode_id(caller.member)},
                ],
            )
        except self._sts.exceptions.ClientError as error:
            code = error_code(error)
            if code in REFUSED:
                log.warning("role refused", extra={"role_arn": grant.role_arn, "session": name, "code": code})
                raise RoleRefused(code) from error
            raise
        document = answer["Credentials"]
        credentials = Credentials(
            document["AccessKeyId"],
            document["SecretAccessKey"],
            document["SessionToken"],
            document["Expiration"].timestamp(),
        )
        while len(self._kept) >= MAX_CACHED:
            self._kept.pop(next(iter(self._kept)))
        self._kept[grant, caller] = credentials
        return credentials


def session_name(caller: Caller) -> str:
    """`<team>.<member>.<channel>[.<usergroup>]` in the characters that STS takes; the backend reads it.

    Different callers always get different names. One that would be too long ends in a digest, and the backend refuses
    it: Slack's own ids never come near that.
    """
    parts = [caller.team, caller.member]
    if caller.channel or caller.usergroup:
        parts.append(caller.channel)
    if caller.usergroup:
        parts.append(caller.usergroup)
    return _fitting([encode_id(part) for part in parts])


def source_identity(caller: Caller) -> str:
    """`<team>.<member>`: who it is, whatever they do where; it stays through every role that is assumed from there."""
    return _fitting([encode_id(caller.team), encode_id(caller.member)])


def _fitting(parts: list[str]) -> str:
    name = ".".join(parts)
    if len(name) <= NAME_CHARS:
        return name
    # "==" is in no encoded id, so a digest never equals a name that is written out.
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{parts[0][:20]}.{parts[1][:8]}=={digest}"


def encode_id(text: str) -> str:
    """Letters and digits stay, all else becomes `=` and its UTF-8 bytes in hexadecimal: nothing collides."""
    return re.sub(
        r"[^A-Za-z0-9]", lambda found: "".join(f"={byte:02X}" for byte in found[0].encode("utf-8", "replace")), text
    )
