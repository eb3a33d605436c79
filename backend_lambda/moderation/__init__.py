"""Moderation without a service: a workspace's own blocked words."""
