"""The pages that somebody sees who installs Easel from a browser: small, and without anything from elsewhere."""

from __future__ import annotations

from html import escape

from commands.sentences import Trouble

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.5rem;color:#1d1c1d}"
    "h1{font-size:1.5rem}code{background:#f3f1f6;padding:.1em .3em;border-radius:4px}a{color:#3b2f5c}"
    "@media(prefers-color-scheme:dark){body{background:#1a1d21;color:#d1d2d3}code{background:#2c2933}a{color:#b9a9e0}}"
)


def installed_page(name: str, is_org_wide: bool) -> str:
    """It worked. `name` is the workspace's or the organisation's."""
    where = escape(name) or ("your organisation" if is_org_wide else "your workspace")
    steps = [
        "You are Easel's first admin there, unless it or its organisation has one already. Nobody else may paint yet: "
        "<code>/imagine-admin access grant workspace artist</code> lets everybody.",
        "Invite it where your team works: <code>/invite @easel</code>",
        "Paint: <code>/imagine a small blue star on a yellow background</code>",
    ]
    if is_org_wide:
        steps.insert(0, "In Slack's organisation settings, add Easel to the workspaces that shall have it.")
    items = "".join(f"<li>{step}</li>" for step in steps)
    return _page(f"Easel is installed in {where}", f"<ol>{items}</ol><p>You can close this page.</p>")


def failed_page(trouble: Trouble, start_url: str | None) -> str:
    """This attempt did not work, and what to do about it; `start_url` begins anew. An earlier one may have worked."""
    body = f"<p>{escape(trouble.sentence)}</p><p>{escape(trouble.next_step)}</p>"
    if trouble.reference:
        body += f"<p>Reference <code>{escape(trouble.reference)}</code></p>"
    if start_url and trouble.can_retry:
        body += f'<p><a href="{escape(start_url)}">Start again</a></p>'
    return _page("This attempt did not install Easel", body)


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
