"""Lambda handlers: each translates, and calls one thing."""
