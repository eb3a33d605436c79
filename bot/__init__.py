"""The Slack side of Easel: the only user of the Slack SDK."""
