"""Which Easel this is: what it calls itself where it calls others."""

VERSION = "0.1.0"
