"""`python -m endpoint serve|train`: what SageMaker runs in the container."""

from __future__ import annotations

import os
import pwd
import sys

SERVING_USER = "easel"
USAGE = "usage: python -m endpoint serve|train"


def main(arguments: list[str]) -> int:
    """Exit status of the chosen mode."""
    if arguments == ["serve"]:
        give_up_root(SERVING_USER)
        from endpoint.serving.server import serve

        return serve()
    if arguments == ["train"]:
        from endpoint.training.train import train

        return train()
    sys.stderr.write(USAGE + "\n")
    return 2


def give_up_root(user: str) -> None:
    """Go on as that user, for good. Nothing to do where this is not root, or not the image, which has the user.

    A training must be root: SageMaker mounts its folders as root's, and can't start a container as anybody else.
    """
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
