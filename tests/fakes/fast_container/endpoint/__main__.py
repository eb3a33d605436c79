"""A container that starts in no time and does as its requests say: for tests of the SageMaker stand-in itself.

The body is JSON: `sleep` (seconds), `status` (of the answer), `die` (exit at once). The answer has how many requests it
worked on at once, and what of its environment a container relies on. What `train` does is in `training.py`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

lock = threading.Lock()
running = 0
most = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, b"")

    def do_POST(self) -> None:
        global running, most
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        if body.get("die"):
            os._exit(1)
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(body.get("sleep", 0))
        with lock:
            running -= 1
        facts = {
            "most": most,
            "generation": os.environ.get("GENERATION"),
            "model": sorted(path.name for path in Path(os.environ["SM_MODEL_DIR"]).iterdir()),
            "credentials": os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
            "custom_attributes": self.headers.get("X-Amzn-SageMaker-Custom-Attributes"),
        }
        self.answer(body.get("status", 200), json.dumps(facts).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


if sys.argv[1] == "train":
    from endpoint.training import train

    train()
    sys.exit()
if os.environ.get("BROKEN"):
    sys.exit("the model is broken")
print("started", flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
