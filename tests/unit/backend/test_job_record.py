"""Job ids."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.job_record import make_job_id

KEYS = st.from_regex(r"[A-Za-z0-9._:/+=@-]{1,128}", fullmatch=True)
TENANTS = st.from_regex(r"[A-Za-z0-9.:=-]{1,60}", fullmatch=True)


@given(TENANTS, KEYS)
def test_a_job_id_fits_sagemaker_and_is_the_same_every_time(tenant: str, key: str) -> None:
    job_id = make_job_id(tenant, key)
    assert re.fullmatch(r"job-[a-z2-7]{26}", job_id)
    assert job_id == make_job_id(tenant, key)


@given(TENANTS, KEYS, TENANTS, KEYS)
def test_different_tenants_or_keys_have_different_jobs(tenant: str, key: str, tenant_2: str, key_2: str) -> None:
    assert (make_job_id(tenant, key) == make_job_id(tenant_2, key_2)) == ((tenant, key) == (tenant_2, key_2))


def test_a_job_id_never_changes_between_versions() -> None:
    assert make_job_id("T0EASEL", "k") == "job-osgwnqhmgh63wm3wxn2xxr6hhi"
