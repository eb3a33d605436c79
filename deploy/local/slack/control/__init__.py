"""The control API: act as any member, switch faults on, read what happened. The web page and the client use it."""
