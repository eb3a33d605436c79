"""Who is asking: what a principal's ARN is taken for, and what can't be forged with one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.callers import Caller, MappedRoles, UnknownCaller, read_caller
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
        f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/T1.U1.U2",
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


@given(st.text())
def test_any_text_is_a_caller_or_refused(text: str) -> None:
    with suppress(UnknownCaller):
        read_caller(text, MAPPED)


@given(role=NAMES, session=NAMES, account=ACCOUNTS)
def test_no_session_name_makes_a_workspace_of_an_unmapped_role(role: str, session: str, account: str) -> None:
    if (account, role) in MAPPED.roles:
        return
    caller = read_caller(f"arn:aws:sts::{account}:assumed-role/{role}/{session}", MAPPED)
    assert caller.member == session
    # A workspace's id has no hyphen.
    assert caller.tenant.startswith(f"iam-{account}-")


@given(session=st.text(st.characters(codec="utf-8"), max_size=70))
def test_a_mapped_session_names_exactly_one_workspace_and_member(session: str) -> None:
    try:
        caller = read_caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/easel-artist/{session}", MAPPED)
    except UnknownCaller:
        return
    assert f"{caller.tenant}.{caller.member}" == session
    assert caller.tenant.isascii()
    assert caller.tenant.isalnum()


PRINCIPALS = st.one_of(
    st.builds("arn:aws:sts::{}:assumed-role/{}/s".format, st.just(ACCOUNT), NAMES),
    st.builds("arn:aws:iam::{}:user/{}".format, st.just(ACCOUNT), NAMES),
    st.builds("arn:aws:sts::{}:federated-user/{}".format, st.just(ACCOUNT), NAMES),
    st.just(f"arn:aws:iam::{ACCOUNT}:root"),
)


@given(one=PRINCIPALS, other=PRINCIPALS)
def test_different_principals_never_share_a_tenant(one: str, other: str) -> None:
    if "/easel-artist/" in one + other:
        return
    tenants = read_caller(one, MAPPED).tenant, read_caller(other, MAPPED).tenant
    assert (tenants[0] == tenants[1]) == (one == other)


@given(PRINCIPALS)
def test_every_tenant_fits_into_the_endpoints_contract(arn: str) -> None:
    if "/easel-artist/" in arn:
        return
    tenant = read_caller(arn, MAPPED).tenant
    OutputLocation(bucket="pictures", prefix=job_prefix(tenant, "job-" + "a" * 26))
    assert "/" not in tenant
    assert "|" not in tenant
