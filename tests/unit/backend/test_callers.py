"""Who is asking: what a principal's ARN is taken for, and what can't be forged with one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.callers import Caller, MappedRoles, RoleStanding, UnknownCaller, read_caller
from backend_lambda.job_record import job_prefix
from endpoint.contract import OutputLocation

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
MAPPED = MappedRoles.read(["easel-artist", f"arn:aws:iam::{OTHER_ACCOUNT}:role/team/their-artist"], ACCOUNT)

NAMES = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,64}", fullmatch=True)
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)


@pytest.mark.parametrize(
    ("arn", "tenant", "member"),
    [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T0EASEL.U0ADA", "T0EASEL", "U0ADA"),
        (f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/their-artist/T9.U9", "T9", "U9"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/build-7", f"iam-{ACCOUNT}-ci", "build-7"),
        (f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/ci/build-7", f"iam-{ACCOUNT}-ci", "build-7"),
        (f"arn:aws-us-gov:sts::{ACCOUNT}:assumed-role/ci/b", f"iam-{ACCOUNT}-ci", "b"),
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0a1b/ada@example.com",
            f"iam-{ACCOUNT}-AWSReservedSSO=5FAdmin=5F0a1b",
            "ada@example.com",
        ),
        (f"arn:aws:iam::{ACCOUNT}:user/ada", f"iam-{ACCOUNT}-user:ada", "ada"),
        (f"arn:aws:iam::{ACCOUNT}:user/team/art/ada", f"iam-{ACCOUNT}-user:ada", "ada"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/ada", f"iam-{ACCOUNT}-federated:ada", "ada"),
        (f"arn:aws:iam::{ACCOUNT}:root", f"iam-{ACCOUNT}-account:root", "root"),
    ],
)
def test_principals(arn: str, tenant: str, member: str) -> None:
    assert read_caller(arn, MAPPED) == Caller(tenant, member, arn)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn",
        "AIDACKCEVSQ6C2EXAMPLE",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1/more",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1.",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1..",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1.C1.",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1..C1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1...S1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1.C1.S1.X",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1.C=2E1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/.U1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U-1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1\n",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.Ü1",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/iam-{ACCOUNT}-ci.U1",
        f"arn:aws:iam::{ACCOUNT}:role/easel-artist",
        f"arn:aws:sts::{ACCOUNT}:user/ada",
        f"arn:aws:iam::{ACCOUNT}:assumed-role/easel-artist/T1.U1",
        "arn:aws:sts::1234:assumed-role/easel-artist/T1.U1",
        "arn:aws:sts::１２３４５６７８９０１２:assumed-role/easel-artist/T1.U1",
        f"arn:evil:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1",
        f" arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1",
        f"arn:aws:iam::{ACCOUNT}:root/x",
    ],
)
def test_what_is_not_plainly_a_principal_is_refused(arn: str) -> None:
    with pytest.raises(UnknownCaller):
        read_caller(arn, MAPPED)


def test_a_mapped_roles_name_in_another_account_is_not_mapped() -> None:
    forged = read_caller(f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/easel-artist/T0EASEL.U0ADA", MAPPED)
    assert forged.tenant == f"iam-{OTHER_ACCOUNT}-easel-artist"
    own = read_caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/their-artist/T0EASEL.U0ADA", MAPPED)
    assert own.tenant == f"iam-{ACCOUNT}-their-artist"


def test_a_mapped_role_is_a_name_or_an_arn() -> None:
    for entry in ("", "a/b", "arn:aws:iam::1:role/x", "two words"):
        with pytest.raises(ValueError, match="neither"):
            MappedRoles.read([entry], ACCOUNT)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_caller_or_refused(text: str) -> None:
    with suppress(UnknownCaller):
        read_caller(text, MAPPED)


@settings(deadline=None)
@given(role=NAMES, session=NAMES, account=ACCOUNTS)
def test_no_session_name_makes_a_workspace_of_an_unmapped_role(role: str, session: str, account: str) -> None:
    if (account, role) in MAPPED.roles:
        return
    caller = read_caller(f"arn:aws:sts::{account}:assumed-role/{role}/{session}", MAPPED)
    assert caller.member == session
    # A workspace's id has no hyphen.
    assert caller.tenant.startswith(f"iam-{account}-")


@settings(deadline=None)
@given(session=st.text(st.characters(codec="utf-8"), max_size=70))
def test_a_mapped_session_names_exactly_one_workspace_and_member(session: str) -> None:
    try:
        caller = read_caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/{session}", MAPPED)
    except UnknownCaller:
        return
    parts = [caller.tenant, caller.member, caller.channel, caller.usergroup]
    # Whatever is empty is at the end, but for a channel that a user group stands behind.
    assert ".".join(parts).rstrip(".") == session
    assert "".join(parts).isascii()
    assert "".join(parts).isalnum()
    assert caller.tenant
    assert caller.member
    assert caller.is_of_workspace


IDS = st.text("ABCTUS0129", min_size=2, max_size=15)


@settings(deadline=None)
@given(workspace=IDS, member=IDS, channel=st.just("") | IDS, usergroup=st.just("") | IDS)
def test_what_the_bot_writes_is_what_the_backend_reads(
    workspace: str, member: str, channel: str, usergroup: str
) -> None:
    session = f"{workspace}.{member}.{channel}.{usergroup}".rstrip(".")
    assert len(session) <= 64
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/{session}"
    assert read_caller(arn, MAPPED) == Caller(workspace, member, arn, channel, usergroup)


def speaks_for_t1(account: str, role: str, tenant: str) -> RoleStanding:
    """T1 has granted the role `painters` of one account; nobody has granted any other."""
    if (account, role) != (OTHER_ACCOUNT, "painters"):
        return RoleStanding.UNKNOWN
    return RoleStanding.SPEAKS if tenant == "T1" else RoleStanding.SILENT


def test_a_customers_own_role_speaks_only_for_a_tenant_that_has_granted_it() -> None:
    arn = f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/painters/T1.U1.C1.S1"
    assert read_caller(arn, MAPPED, speaks_for_t1) == Caller("T1", "U1", arn, "C1", "S1")
    for session in ("T2.U1", "T2.U1.C1", "T.1", "t1.U1"):
        with pytest.raises(UnknownCaller):
            read_caller(f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/painters/{session}", MAPPED, speaks_for_t1)
    # The same name in another account is another role, and a session that names nobody names no member.
    for account, session in ((ACCOUNT, "T1.U1"), (OTHER_ACCOUNT, "build-7")):
        own = read_caller(f"arn:aws:sts::{account}:assumed-role/painters/{session}", MAPPED, speaks_for_t1)
        assert (own.tenant, own.member) == (f"iam-{account}-painters", session)
        assert not own.is_of_workspace


@settings(deadline=None)
@given(
    role=st.sampled_from(["painters", "ci"]),
    session=st.from_regex(r"(T1|T2)(\.(U1|U2|C1|)){1,4}", fullmatch=True) | NAMES,
    account=st.sampled_from([ACCOUNT, OTHER_ACCOUNT]),
)
def test_no_session_name_of_a_customers_role_reaches_a_tenant_that_has_not_granted_it(
    role: str, session: str, account: str
) -> None:
    try:
        caller = read_caller(f"arn:aws:sts::{account}:assumed-role/{role}/{session}", MAPPED, speaks_for_t1)
    except UnknownCaller:
        assert (account, role) == (OTHER_ACCOUNT, "painters")
        assert not session.startswith("T1.")
        return
    if caller.is_of_workspace:
        assert (account, role, caller.tenant) == (OTHER_ACCOUNT, "painters", "T1")
        assert session.startswith("T1.")
    else:
        assert caller.tenant == f"iam-{account}-{role}"


def test_the_stacks_roles_are_never_looked_up() -> None:
    def unreachable(account: str, role: str, tenant: str) -> RoleStanding:
        raise AssertionError("asked")

    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1.C1"
    assert read_caller(arn, MAPPED, unreachable).tenant == "T1"
    assert read_caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/build-7", MAPPED, unreachable).member == "build-7"


PRINCIPALS = st.one_of(
    st.builds("arn:aws:sts::{}:assumed-role/{}/s".format, st.just(ACCOUNT), NAMES),
    st.builds("arn:aws:iam::{}:user/{}".format, st.just(ACCOUNT), NAMES),
    st.builds("arn:aws:sts::{}:federated-user/{}".format, st.just(ACCOUNT), NAMES),
    st.just(f"arn:aws:iam::{ACCOUNT}:root"),
)


@settings(deadline=None)
@given(one=PRINCIPALS, other=PRINCIPALS)
def test_different_principals_never_share_a_tenant(one: str, other: str) -> None:
    if "/easel-artist/" in one + other:
        return
    tenants = read_caller(one, MAPPED).tenant, read_caller(other, MAPPED).tenant
    assert (tenants[0] == tenants[1]) == (one == other)


@settings(deadline=None)
@given(PRINCIPALS)
def test_every_tenant_fits_into_the_endpoints_contract(arn: str) -> None:
    if "/easel-artist/" in arn:
        return
    tenant = read_caller(arn, MAPPED).tenant
    OutputLocation(bucket="pictures", prefix=job_prefix(tenant, "job-" + "a" * 26))
    assert "/" not in tenant
    assert "|" not in tenant
