"""Runs the stand-in on 127.0.0.1: as a process of its own, or in a thread of another."""

from __future__ import annotations

import logging
import socket
import threading
import time

import uvicorn

from deploy.local.sagemaker.app import SageMaker, create_app
from deploy.local.sagemaker.settings import SageMakerSettings


class SageMakerServer:
    """`url` is known at once; a context manager in tests."""

    def __init__(self, settings: SageMakerSettings) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", settings.port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.sagemaker = SageMaker(settings)
        self.sagemaker.serving_at(self.url)
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.sagemaker),
                log_config=None,
                access_log=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=3,
            )
        )
        self._thread = threading.Thread(target=self.run, name="sagemaker", daemon=True)

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C (in the main thread), or until `stop`."""
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)

    def stop(self) -> None:
        """End the thread, and every instance."""
        self._server.should_exit = True
        self._thread.join(60)

    def __enter__(self) -> SageMakerServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def main(settings: SageMakerSettings) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    server = SageMakerServer(settings)
    print(f"SageMaker stand-in, for development, on {server.url}", flush=True)
    server.run()
