"""Block Kit: the messages and forms that people see, within Slack's limits whatever they contain."""
