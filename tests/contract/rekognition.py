"""Amazon Rekognition as far as the backend asks it: `DetectModerationLabels`, in its own protocol (JSON 1.1)."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TARGET = "RekognitionService.DetectModerationLabels"


@dataclass
class Rekognition:
    """`labels` are what it sees, by S3 key: name, name of the label above, confidence. `faults` are status and error
    code of the next answers, and `asked` what it was asked.
    """

    labels: dict[str, list[tuple[str, str, float]]] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.faults:
            status, code = self.faults.pop(0)
            return status, {"__type": code, "Message": "no"}
        self.asked.append(body)
        place = body["Image"]["S3Object"]
        if place["Name"].endswith(".txt"):
            return 400, {"__type": "InvalidImageFormatException", "Message": "Request has invalid image format"}
        found = [
            {"Name": name, "ParentName": parent, "Confidence": confidence, "TaxonomyLevel": 2 if parent else 1}
            for name, parent, confidence in self.labels.get(f"{place['Bucket']}/{place['Name']}", [])
            if confidence >= body.get("MinConfidence", 50)
        ]
        return 200, {"ModerationLabels": found, "ModerationModelVersion": "7.0", "ContentTypes": []}


class _Requests(BaseHTTPRequestHandler):
    rekognition: Rekognition

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/"
        assert self.headers["content-type"] == "application/x-amz-json-1.1"
        assert "/rekognition/aws4_request" in self.headers["authorization"]
        if self.headers["x-amz-target"] == TARGET:
            status, answer = self.rekognition.answer(body)
        else:
            status, answer = 400, {"__type": "UnknownOperationException"}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class RekognitionServer:
    """Serves one on a free port of 127.0.0.1: a context manager."""

    def __enter__(self) -> Rekognition:
        state = Rekognition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Requests", (_Requests,), {"rekognition": state}))
        state.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return state

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
