"""Slack's page on which somebody allows an app: for people, and what scripts do in their place."""
