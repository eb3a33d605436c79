"""The web page: a small Slack in the browser, without a build step. `static/` has its modules."""
