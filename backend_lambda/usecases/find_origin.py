"""Whether anything of a tenant's comes of a training or an upload."""

from __future__ import annotations

from backend_lambda.lora_store import LoraStore

_PAGE = 100


def is_origin_listed(store: LoraStore, tenant: str, origin: str) -> bool:
    """Whether some version does, under whatever name. Reads all of them: for what happens rarely."""
    after: str | None = None
    while True:
        page = store.page(tenant, limit=_PAGE, after=after)
        if any(version.origin == origin for record in page.records for version in record.versions):
            return True
        after = page.after
        if after is None:
            return False
