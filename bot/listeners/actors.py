"""To which company somebody belongs, as far as Slack says it: in a shared channel, people of several are at it."""

from __future__ import annotations

from bot.origin import Body, enterprise_of, team_of


def actor_team_of(body: Body) -> str | None:
    """The workspace (or organisation) that the person belongs to; None where that can't be known, or where nobody says
    which workspace is asked, so that there is nothing to compare it with.

    In events of shared channels Slack may name the other side's organisation instead of its workspace
    (https://docs.slack.dev/apis/slack-connect/): an organisation that is not ours tells too little. Ours does: whoever
    it is needs a grant by name, for it is not said of which of its workspaces they are.
    """
    asked = team_of(body)
    if not asked:
        return None
    if "command" in body:
        # Only members of a workspace where the app is installed have its commands.
        return asked
    event, user = body.get("event"), body.get("user")
    if isinstance(event, dict):
        theirs = event.get("user_team") or event.get("team")
        if theirs is None and not body.get("is_ext_shared_channel"):
            theirs = asked
    else:
        theirs = user.get("team_id") if isinstance(user, dict) else None
    if not isinstance(theirs, str):
        return None
    return theirs if theirs.startswith("T") or (theirs and theirs == enterprise_of(body)) else None
