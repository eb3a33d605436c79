"""Refinements in words: what "make it green" does to a prompt."""
