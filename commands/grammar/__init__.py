"""The grammar of slash text and mentions: `a red boat --ar 3:2 --n 2`."""
