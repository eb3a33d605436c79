"""Every Web API method: what answers it and which scope it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.slack.entities import Json
from deploy.local.slack.web_api import chat, conversations, files, identity, signs, views
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.workspace import Workspace


@dataclass(frozen=True)
class Method:
    """A method's answerer, and the scopes any one of which it needs (none: no scope)."""

    answer: Callable[[Workspace, Arguments], Json]
    scopes: tuple[str, ...] = ()


READ = ("channels:read", "groups:read", "im:read", "mpim:read")
HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")

METHODS: dict[str, Method] = {
    "api.test": Method(identity.api_test),
    "apps.uninstall": Method(identity.apps_uninstall),
    "assistant.threads.setStatus": Method(signs.set_status),
    "auth.revoke": Method(identity.auth_revoke),
    "auth.test": Method(identity.auth_test),
    "bots.info": Method(identity.bots_info, ("users:read",)),
    "chat.delete": Method(chat.delete_message_method, ("chat:write",)),
    "chat.getPermalink": Method(chat.get_permalink_method),
    "chat.postEphemeral": Method(chat.post_ephemeral_method, ("chat:write",)),
    "chat.postMessage": Method(chat.post_message_method, ("chat:write",)),
    "chat.update": Method(chat.update_message_method, ("chat:write",)),
    "conversations.history": Method(conversations.history, HISTORY),
    "conversations.info": Method(conversations.info, READ),
    "conversations.list": Method(conversations.list_conversations, READ),
    "conversations.members": Method(conversations.members, READ),
    "conversations.open": Method(conversations.open_conversation, ("im:write", "channels:manage", "groups:write")),
    "conversations.replies": Method(conversations.replies, HISTORY),
    "files.completeUploadExternal": Method(files.complete_upload, ("files:write",)),
    "files.delete": Method(files.delete_file_method, ("files:write",)),
    "files.getUploadURLExternal": Method(files.get_upload_url, ("files:write",)),
    "files.info": Method(files.file_info, ("files:read",)),
    "files.list": Method(files.list_files, ("files:read",)),
    "reactions.add": Method(signs.reactions_add, ("reactions:write",)),
    "reactions.remove": Method(signs.reactions_remove, ("reactions:write",)),
    "team.info": Method(identity.team_info, ("team:read",)),
    "usergroups.list": Method(identity.usergroups_list, ("usergroups:read",)),
    "usergroups.users.list": Method(identity.usergroups_users_list, ("usergroups:read",)),
    "users.conversations": Method(conversations.users_conversations, READ),
    "users.info": Method(identity.users_info, ("users:read",)),
    "users.list": Method(identity.users_list, ("users:read",)),
    "views.open": Method(views.views_open),
    "views.publish": Method(views.views_publish),
    "views.push": Method(views.views_push),
    "views.update": Method(views.views_update),
}
