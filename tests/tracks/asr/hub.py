"""Hugging Face's hub, on this machine."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class Hub:
    """A hub on this machine, with one repository, that answers what huggingface_hub asks."""

    name = "someone/tiny.en"

    def __init__(self, model: Path) -> None:
        hub = self
        self.files = {path.name: path.read_bytes() for path in model.iterdir()} | {"README.md": b"# hello"}
        self.asked: list[str] = []
        self.tokens: list[str | None] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                hub.tokens.append(self.headers.get("Authorization"))
                path = self.path.partition("?")[0]
                if path.startswith(f"/api/models/{hub.name}/tree/"):
                    files = [
                        {"type": "file", "path": name, "oid": "b" * 40, "size": len(body)}
                        for name, body in hub.files.items()
                    ]
                    self.send(json.dumps(files).encode())
                elif path.startswith(f"/api/models/{hub.name}"):
                    siblings = [{"rfilename": name} for name in hub.files]
                    about = {"_id": "1", "id": hub.name, "modelId": hub.name, "sha": "a" * 40, "siblings": siblings}
                    self.send(json.dumps(about).encode())
                elif path.startswith(f"/{hub.name}/resolve/"):
                    self.send(hub.files[path.rpartition("/")[2]])
                else:
                    self.send(b"no", 404)

            do_HEAD = do_GET

            def send(self, body: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
                self.send_header("X-Repo-Commit", "a" * 40)
                if status == 404:
                    self.send_header("X-Error-Code", "RepoNotFound")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
