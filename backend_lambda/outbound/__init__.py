"""Calls to other people's hosts, which are trusted with nothing."""
