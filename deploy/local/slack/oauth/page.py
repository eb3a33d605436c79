"""`/oauth/v2/authorize`: what the app asks for, as whom to answer, and Allow or Cancel."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from deploy.local.slack.errors import SlackError
from deploy.local.slack.oauth.decision import Authorization, decide
from deploy.local.slack.slack_app import SlackApp
from deploy.local.slack.workspace import Workspace

PATH = "/oauth/v2/authorize"
# The answer leads the browser to the app's own address, which browsers count as the form's action.
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self' http://127.0.0.1:* http://localhost:* https:"
)
REFUSALS = {
    "invalid_client_id": "There is no app with this client id.",
    "bad_redirect_uri": "The redirect_uri is not below any of the app's redirect URLs.",
    "invalid_scope": "The app asks for scopes that its manifest doesn't have.",
    "not_allowed_to_install": "This member may not install the app: guests never may, for an organisation only admins.",
    "not_an_organisation": "This app can't be installed for a whole organisation.",
}
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:34rem;margin:10vh auto;padding:0 1.5rem;color:#1d1c1d}"
    "body{background:#fff}p.honest{font-size:13px;color:#616061}"
    "select,button{font:inherit;padding:.5rem .8rem;border-radius:6px;border:1px solid #868686}"
    "button.allow{background:#007a5a;border-color:#007a5a;color:#fff}li{font-family:ui-monospace,monospace;font-size:13px}"
    "@media(prefers-color-scheme:dark){body{background:#1a1d21;color:#d1d2d3}p.honest{color:#ababad}"
    "select,button{background:#222529;color:inherit}}"
)


def oauth_routes(app: SlackApp) -> list[Route]:
    """The page, for all workspaces of the app."""

    async def show(request: Request) -> Response:
        asked = Authorization.read(request.query_params)
        try:
            app.check_authorization(asked.client_id, asked.redirect_uri)
        except SlackError as error:
            return _page(_refusal(error), 400)
        return _page(_question(app, asked))

    async def answer(request: Request) -> Response:
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        team_id, _, rest = form.get("who", "").partition("/")
        member, _, reach = rest.partition("/")
        workspace = app.workspaces.get(team_id)
        if workspace is None:
            return _page("<p>There is no such workspace.</p>", 400)
        try:
            target = decide(
                workspace,
                Authorization.read(form),
                member,
                is_allowed=form.get("decision") == "allow",
                is_org_wide=reach == "org",
            )
        except SlackError as error:
            return _page(_refusal(error), 400)
        return RedirectResponse(target, 302)

    return [Route(PATH, show, methods=["GET"]), Route(PATH, answer, methods=["POST"])]


def _question(app: SlackApp, asked: Authorization) -> str:
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in asked.scopes.split(","))
    hidden = {
        "client_id": asked.client_id,
        "scope": asked.scopes,
        "redirect_uri": asked.redirect_uri,
        "state": asked.state,
    }
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in hidden.items())
    options = "".join(option for workspace in app.workspaces.values() for option in _options(app, workspace))
    name = escape(app.manifest.name)
    return (
        f"<h1>{name} is asking for permission</h1><p>{name} will be able to:</p><ul>{scopes}</ul>"
        f'<form method="post" action="{PATH}">{fields}'
        f'<p><label>As <select name="who">{options}</select></label></p>'
        '<p><button class="allow" name="decision" value="allow">Allow</button> '
        '<button name="decision" value="cancel">Cancel</button></p></form>'
    )


def _options(app: SlackApp, workspace: Workspace) -> list[str]:
    settings = workspace.settings
    options = []
    for member in workspace.members.values():
        if member.is_bot or member.is_guest:
            continue
        value, name = f"{settings.team_id}/{member.id}", f"{member.real_name} in {settings.team_name}"
        options.append(f'<option value="{escape(value)}">{escape(name)}</option>')
        if settings.enterprise_id and app.manifest.org_deploy and member.is_admin:
            name = f"{member.real_name} for all of {settings.enterprise_name or settings.enterprise_id}"
            options.append(f'<option value="{escape(value)}/org">{escape(name)}</option>')
    return options


def _refusal(error: SlackError) -> str:
    return f"<h1>This can't be installed</h1><p>{escape(REFUSALS.get(error.code, error.code))}</p>"


def _page(body: str, status: int = 200) -> Response:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Allow an app</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>'
        f'<body><p class="honest">Local workspace for development — not Slack</p><main>{body}</main></body></html>'
    )
    # With no-referrer a browser sends the form with `Origin: null`, which the server takes for another website's.
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    return HTMLResponse(page, status, headers)
