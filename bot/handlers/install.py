"""Lambda behind `GET /slack/install` and `GET /slack/oauth_redirect`."""

from __future__ import annotations

from functools import cache
from typing import Any

from bot.install.gateway import HEADERS, InstallGateway
from bot.logs import configure_logs, log, new_reference
from bot.wiring import wire_install
from commands.sentences import unexpected
from commands.views.install_pages import failed_page


@cache
def _gateway() -> InstallGateway:
    configure_logs()
    return wire_install()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one proxy event."""
    try:
        return _gateway().answer(event)
    except Exception:
        reference = new_reference()
        log.exception("request failed", extra={"reference": reference})
        return {"statusCode": 500, "headers": HEADERS, "body": failed_page(unexpected(reference), None)}
