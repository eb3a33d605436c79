"""What the bot does within Slack's three seconds: mistakes, forms, type-ahead, and everything else into the queue."""
