"""Block Kit's rules, with Slack's own wording for what breaks them."""

from deploy.local.slack.blocks.checker import FileLookup
from deploy.local.slack.blocks.surfaces import check_message_blocks, check_view, has_too_many_tables

__all__ = ["FileLookup", "check_message_blocks", "check_view", "has_too_many_tables"]
