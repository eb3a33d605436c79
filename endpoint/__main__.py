"""`python -m endpoint serve|train`: what SageMaker runs in the container."""

from __future__ import annotations

import sys

USAGE = "usage: python -m endpoint serve|train"


def main(arguments: list[str]) -> int:
    """Exit status of the chosen mode."""
    if arguments == ["serve"]:
        from endpoint.serving.server import serve

        return serve()
    if arguments == ["train"]:
        from endpoint.training.train import train

        return train()
    sys.stderr.write(USAGE + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
