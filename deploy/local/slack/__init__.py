"""A Slack workspace on this machine, to develop and test a Slack app against.

It listens on the loopback interface only and is not Slack. `docs/local-workspace.md` says how to use it.
"""
