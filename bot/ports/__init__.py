"""What the bot's use cases need of the outside, by role, one file each. `bot.aws` and `bot.slack_*` are the real ones.

Several files, so that the acknowledging function imports no more of them than it needs: dataclasses take their time.
"""
