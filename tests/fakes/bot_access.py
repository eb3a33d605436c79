"""Fakes of who may do what: grants, IAM, the access part of the API. They refuse as the real ones do."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from backend_lambda.contract.access import (
    Allowance,
    AllowanceList,
    AuditEntry,
    BlockedWords,
    Effect,
    Entry,
    Limits,
    PutDeny,
    PutGrant,
)
from backend_lambda.contract.actions import ROLE_ACTIONS, Action, resources
from backend_lambda.contract.guardrails import session_policy
from backend_lambda.contract.subjects import Subject, SubjectKind
from bot.ports.access import Answer, SimulationUnavailable, Tagged
from bot.ports.backend import ApiRefused, Caller, Credentials, Grant, RoleRefused
from bot.ports.clock import Clock
from bot.ports.records import Json

ACCOUNT = "000000000001"
API_ARN = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:api1/v1"
OWN_ROLE = "arn:aws:iam::000000000002:role/easel/painters"
LATER = 1_893_456_000.0
MAX_POLICY_CHARS = 2_048


def role_arn(name: str) -> str:
    """Of one of the stack's own roles."""
    return f"arn:aws:iam::{ACCOUNT}:role/easel-{name}"


class FakeIam:
    """The stack's roles with the policies of the template; `allows` and `denies` are of customers' own roles."""

    def __init__(self) -> None:
        self.allows: dict[str, list[str]] = {OWN_ROLE: []}
        self.denies: dict[str, list[str]] = {}
        self.is_down = False
        self.asked: list[str] = []

    def answer(self, role: str, arn: str) -> Answer:
        """What the role's own policies say about an ARN."""
        if any(fnmatch.fnmatchcase(arn, pattern) for pattern in self.denies.get(role, [])):
            return Answer.EXPLICIT_DENY
        name = role.rpartition("/easel-")[2]
        allowed = [f"{API_ARN}/{route}" for action in ROLE_ACTIONS.get(name, ()) for route in resources(action)]
        matches = any(fnmatch.fnmatchcase(arn, pattern) for pattern in [*allowed, *self.allows.get(role, [])])
        return Answer.ALLOWED if matches else Answer.IMPLICIT_DENY

    def check(self, credentials: Credentials, route: str) -> None:
        """Raises what the API's gateway answers where role or session policy don't allow a route."""
        session = json.loads(credentials.session_token)
        arn = f"{API_ARN}/{route}"
        is_allowed = self.answer(session["role_arn"], arn) is Answer.ALLOWED
        if session["policy"]:
            is_allowed = is_allowed and self._policy_answer(session["policy"], arn) is Answer.ALLOWED
        if not is_allowed:
            raise ApiRefused(403, {"code": "not_allowed", "message": "Your IAM role does not allow this call."})

    # PolicySimulator

    def ask_role(self, session: Tagged, resources: Sequence[str]) -> Mapping[str, Answer]:
        """Roles of another account can't be asked about."""
        self.asked.append(session.role_arn)
        if self.is_down or session.role_arn.split(":")[4] != ACCOUNT:
            raise SimulationUnavailable("AccessDenied")
        return {arn: self.answer(session.role_arn, arn) for arn in resources}

    def ask_policy(self, policy: str, resources: Sequence[str]) -> Mapping[str, Answer]:
        """A policy by itself."""
        if self.is_down:
            raise SimulationUnavailable("Throttling")
        return {arn: self._policy_answer(policy, arn) for arn in resources}

    @staticmethod
    def _policy_answer(policy: str, arn: str) -> Answer:
        [statement] = json.loads(policy)["Statement"]
        is_allowed = any(fnmatch.fnmatchcase(arn, pattern) for pattern in statement["Resource"])
        return Answer.ALLOWED if is_allowed else Answer.IMPLICIT_DENY


class FakeSessions:
    """Credentials that say whose they are, and under which role and session policy."""

    def __init__(self) -> None:
        self.refused = False
        self.assumed: list[tuple[Grant, Caller]] = []

    def assume(self, grant: Grant, caller: Caller) -> Credentials:
        """Whoever has the grant may. STS takes no longer policies."""
        if self.refused:
            raise RoleRefused("AccessDenied")
        assert len(grant.policy) <= MAX_POLICY_CHARS
        self.assumed.append((grant, caller))
        name = f"{caller.team}.{caller.member}.{caller.channel}.{caller.usergroup}"
        session = {"role_arn": grant.role_arn, "policy": grant.policy}
        return Credentials(name, "secret", json.dumps(session), LATER)


class FakeAccess:
    """The grants table and the access part of the API over it: `Grants` and `AccessApi`."""

    def __init__(self, clock: Clock, iam: FakeIam) -> None:
        self._clock = clock
        self._iam = iam
        self.tenants: dict[str, dict[str, Entry]] = {}
        self.words: dict[str, list[str]] = {}
        self.audit: list[tuple[str, AuditEntry]] = []
        self.used: dict[str, float] = {}
        self.refusal: ApiRefused | None = None
        self.done: set[str] = set()
        self.meanwhile: Callable[[], object] | None = None

    # what tests set up

    def grant(self, tenant: str, kind: str, subject_id: str, role: str | None = None, **facts: Any) -> Entry:
        """As it stands after somebody granted it."""
        arn = role_arn(role) if role in ROLE_ACTIONS else role
        name = role if role in ROLE_ACTIONS else None
        return self._put(tenant, Effect.GRANT, kind, subject_id, {"role": name, "role_arn": arn, **facts})

    def deny(self, tenant: str, kind: str, subject_id: str, **facts: Any) -> Entry:
        """As it stands after somebody denied it."""
        return self._put(tenant, Effect.DENY, kind, subject_id, facts)

    def clear(self, tenant: str) -> None:
        """Nothing is granted there."""
        self.tenants.pop(tenant, None)

    def entry(self, tenant: str, key: str) -> Entry | None:
        """`grant#member#U1`."""
        return self.tenants.get(tenant, {}).get(key)

    # Grants

    def entries(self, team: str, enterprise: str) -> Sequence[Entry]:
        """Of the workspace and its organisation."""
        return [entry for tenant in (team, enterprise) if tenant for entry in self.tenants.get(tenant, {}).values()]

    # AccessApi

    def list_grants(self, credentials: Credentials) -> Sequence[Entry]:
        """All of the caller's tenant."""
        return list(self.tenants.get(self._admit(credentials, "GET/grants").team, {}).values())

    def put_grant(self, credentials: Credentials, subject: Subject, body: Json, once: str) -> Entry:
        """Replace."""
        caller = self._admit(credentials, f"PUT/grants/{subject.kind.value}/{subject.id}")
        grant = PutGrant.model_validate_json(json.dumps(body))
        self._check_subject(caller, subject)
        if grant.guardrail is not None:
            policy = session_policy(grant.guardrail.actions, grant.guardrail.models, API_ARN)
            if len(policy) > MAX_POLICY_CHARS:
                raise ApiRefused(422, {"code": "guardrail_too_long", "message": "no", "field": "guardrail"})
        arn = role_arn(grant.role) if grant.role in ROLE_ACTIONS else grant.role
        facts: dict[str, Any] = {
            "role": grant.role if grant.role in ROLE_ACTIONS else None,
            "role_arn": arn,
            "external_id": grant.external_id,
            "limits": grant.limits,
            "guardrail": grant.guardrail,
            "ends_at": grant.ends_at,
            "reason": grant.reason,
        }
        granted = self.tenants.get(caller.team, {}).get(f"grant#{subject.key}")
        counting = granted.standing_at(self._now()) if granted is not None else None
        for part in grant.keeps if counting is not None else ():
            names = ("role", "role_arn", "external_id", "ends_at", "reason") if part == "role" else (part.value,)
            facts |= {name: getattr(counting, name) for name in names}
        if facts["role_arn"] is None and facts["guardrail"] is None and not facts["limits"].is_limiting:
            self._remove(caller, Effect.GRANT, subject, once)
            return Entry(effect=Effect.GRANT, kind=subject.kind, id=subject.id, made_at=self._now())
        return self._change(caller, Effect.GRANT, subject, facts, once)

    def remove_grant(self, credentials: Credentials, subject: Subject, once: str) -> bool:
        """Take it back."""
        caller = self._admit(credentials, f"DELETE/grants/{subject.kind.value}/{subject.id}")
        return self._remove(caller, Effect.GRANT, subject, once)

    def put_deny(self, credentials: Credentials, subject: Subject, body: Json, once: str) -> Entry:
        """Replace."""
        caller = self._admit(credentials, f"PUT/denies/{subject.kind.value}/{subject.id}")
        deny = PutDeny.model_validate_json(json.dumps(body))
        self._check_subject(caller, subject)
        if ("reaches" in body) != (subject.kind is SubjectKind.USERGROUP):
            raise ApiRefused(422, {"code": "invalid_request", "message": "no", "field": "reaches"})
        return self._change(caller, Effect.DENY, subject, deny.model_dump(), once)

    def remove_deny(self, credentials: Credentials, subject: Subject, once: str) -> bool:
        """Lift it."""
        caller = self._admit(credentials, f"DELETE/denies/{subject.kind.value}/{subject.id}")
        return self._remove(caller, Effect.DENY, subject, once)

    def list_audit(self, credentials: Credentials, member: str | None, limit: int) -> Sequence[AuditEntry]:
        """Newest first."""
        tenant = self._admit(credentials, "GET/audit").team
        found = [
            record
            for of, record in reversed(self.audit)
            if of == tenant and (member is None or member == record.member or record.subject == f"member#{member}")
        ]
        return found[:limit]

    def read_words(self, credentials: Credentials) -> Sequence[str]:
        """All."""
        return self.words.get(self._admit(credentials, "GET/words").team, [])

    def put_words(self, credentials: Credentials, words: Sequence[str], was: Sequence[str]) -> Sequence[str]:
        """Replace; `meanwhile` is what somebody else does just before."""
        caller = self._admit(credentials, "PUT/words")
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if list(was) != self.words.get(caller.team, []):
            raise ApiRefused(409, {"code": "access_conflict", "message": "Somebody else has changed the words."})
        before, after = self.words.get(caller.team, []), BlockedWords(words=list(words)).words
        self.words[caller.team] = sorted(after, key=str.casefold)
        self._record(caller, "put_words", "words", {"words": before}, {"words": self.words[caller.team]})
        return self.words[caller.team]

    def read_limits(self, credentials: Credentials) -> AllowanceList:
        """Every limit that is about the caller, with what a test says is used."""
        caller = self._admit(credentials, "GET/limits")
        now = self._now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        ids = {
            SubjectKind.WORKSPACE: caller.team,
            SubjectKind.CHANNEL: caller.channel,
            SubjectKind.USERGROUP: caller.usergroup,
            SubjectKind.MEMBER: caller.member,
        }
        meant = [
            entry
            for entry in self.tenants.get(caller.team, {}).values()
            if entry.effect is Effect.GRANT and ids.get(entry.kind) == entry.id
        ]
        return AllowanceList(
            allowances=[
                Allowance(
                    name=name,
                    kind=entry.kind,
                    id=entry.id,
                    each_member=entry.limits.each_member,
                    used=self.used.get(name, 0),
                    most=most,
                    resets_at=None if name == "jobs_at_once" else midnight,
                )
                for entry in meant
                for name in ("images_per_day", "gpu_seconds_per_day", "jobs_at_once")
                if (most := getattr(entry.limits, name)) is not None
            ],
            max_pixels=min((entry.limits.max_pixels for entry in meant if entry.limits.max_pixels), default=None),
            max_steps=min((entry.limits.max_steps for entry in meant if entry.limits.max_steps), default=None),
            models=[name for entry in meant for name in entry.limits.models] or None,
        )

    def allowed_images(self, caller: Caller) -> Allowance | None:
        """The first limit of pictures a day that is about the caller."""
        for entry in self.tenants.get(caller.team, {}).values():
            if (entry.kind, entry.id) in {(SubjectKind.MEMBER, caller.member), (SubjectKind.CHANNEL, caller.channel)}:
                most = entry.limits.images_per_day
                if most is not None:
                    resets_at = datetime(2030, 1, 1, tzinfo=UTC)
                    used = self.used.get("images_per_day", 0)
                    return Allowance(
                        name="images_per_day", kind=entry.kind, id=entry.id, each_member=entry.limits.each_member,
                        used=used, most=most, resets_at=resets_at,
                    )  # fmt: skip
        return None

    # inside

    def _admit(self, credentials: Credentials, route: str) -> Caller:
        self._iam.check(credentials, route)
        if self.refusal is not None:
            raise self.refusal
        return caller_of(credentials)

    @staticmethod
    def _check_subject(caller: Caller, subject: Subject) -> None:
        if subject.kind is SubjectKind.WORKSPACE and subject.id != caller.team:
            raise ApiRefused(422, {"code": "invalid_request", "message": "no", "field": "id"})

    def _put(self, tenant: str, effect: Effect, kind: str, subject_id: str, facts: Mapping[str, Any]) -> Entry:
        facts = {"made_by": "U0", "made_at": self._now(), **facts}
        entry = Entry(effect=effect, kind=SubjectKind(kind), id=subject_id, **facts)
        self.tenants.setdefault(tenant, {})[entry.key] = entry
        return entry

    def _change(self, caller: Caller, effect: Effect, subject: Subject, facts: Mapping[str, Any], once: str) -> Entry:
        before = dict(self.tenants.get(caller.team, {}))
        old = before.get(f"{effect.value}#{subject.key}")
        if once in self.done:
            return old or Entry(effect=effect, kind=subject.kind, id=subject.id, made_at=self._now())
        facts = {"made_by": caller.member, **facts}
        entry = self._put(caller.team, effect, subject.kind, subject.id, facts)
        self._check_an_admin_remains(caller.team, before)
        self.done.add(once)
        self._record(caller, f"put_{effect.value}", subject.key, _facts(old), _facts(entry))
        return entry

    def _remove(self, caller: Caller, effect: Effect, subject: Subject, once: str) -> bool:
        if once in self.done:
            return False
        before = dict(self.tenants.get(caller.team, {}))
        old = self.tenants.get(caller.team, {}).pop(f"{effect.value}#{subject.key}", None)
        if old is None:
            return False
        self._check_an_admin_remains(caller.team, before)
        self.done.add(once)
        self._record(caller, f"remove_{effect.value}", subject.key, _facts(old), None)
        return True

    def _check_an_admin_remains(self, tenant: str, before: dict[str, Entry]) -> None:
        if _admins(before.values()) and not _admins(self.tenants[tenant].values()):
            self.tenants[tenant] = before
            raise ApiRefused(409, {"code": "last_admin", "message": "That would leave nobody who may grant."})

    def _record(
        self, caller: Caller, action: str, subject: str, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        record = AuditEntry(
            id=f"audit-{len(self.audit)}",
            at=self._now(),
            member=caller.member,
            principal=f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-admin/{caller.team}.{caller.member}",
            place=caller.channel,
            action=action,
            subject=subject,
            before=before,
            after=after,
        )
        self.audit.append((caller.team, record))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def caller_of(credentials: Credentials) -> Caller:
    """Whom `FakeSessions` made the credentials for."""
    team, member, channel, usergroup = credentials.access_key.split(".")
    return Caller(team, channel, member, usergroup)


def route_of(action: Action, model: str = "any") -> str:
    """A route of an action, with ids in it."""
    return resources(action, (model,))[0].replace("*", "any")


def images(most: int, each_member: bool = False) -> Limits:
    """So many pictures a day."""
    return Limits(images_per_day=most, each_member=each_member)


def _admins(entries: Any) -> set[str]:
    entries = list(entries)
    found = {
        entry.id
        for entry in entries
        if entry.effect is Effect.GRANT
        and entry.kind is SubjectKind.MEMBER
        and entry.role == "admin"
        and entry.ends_at is None
    }
    for entry in entries:
        if entry.effect is Effect.DENY:
            if entry.kind is SubjectKind.WORKSPACE:
                return set()
            found -= {entry.id, *entry.reaches} if entry.kind is not SubjectKind.CHANNEL else set()
    return found


def _facts(entry: Entry | None) -> dict[str, Any] | None:
    return entry.model_dump(mode="json", exclude_defaults=True) if entry is not None else None
