"""A hub of our own on this machine: as much of huggingface.co as a download asks of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHUNK = 64 * 1024
_LOOK = 0.01
"""Seconds between two looks whether the hub is to end: every test waits for that."""


class Hub:
    """The folders that are models, by their ids, and what was asked. `gated` ones are given to nobody. `listings` are
    said instead of what is in a folder, `contents` for files that are in none, `headers` with every answer, and
    `refusals`, a status and a text, instead of a model."""

    def __init__(self) -> None:
        self.models: dict[str, Path] = {}
        self.listings: dict[str, dict[str, object]] = {}
        self.contents: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.refusals: dict[str, tuple[int, bytes]] = {}
        self.gated: set[str] = set()
        self.fetched: list[str] = []
        self.url = ""


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def log_message(self, *args: object) -> None:
            return

        def answer(self, body: bool) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/models").strip("/")
            ref, _, rest = path.partition("/resolve/")
            ref = ref.partition("/revision/")[0]
            if ref in hub.refusals:
                status, text = hub.refusals[ref]
                self.say(status, {"Content-Type": "application/json"}, text, body)
            elif ref in hub.gated:
                self.say(403, {"X-Error-Code": "GatedRepo"})
            elif ref not in hub.models:
                self.say(401, {"X-Error-Code": "RepoNotFound"})
            elif not rest:
                self.say(200, {"Content-Type": "application/json"}, json.dumps(self.listing(ref)).encode())
            else:
                self.file(hub.models[ref] / unquote(rest.partition("/")[2]), body)

        def listing(self, ref: str) -> dict[str, object]:
            if ref in hub.listings:
                return hub.listings[ref]
            folder = hub.models[ref]
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            siblings = [
                {"rfilename": path.relative_to(folder).as_posix(), "size": path.stat().st_size}
                for path in files
            ]
            return {"id": ref, "sha": COMMIT, "siblings": siblings}

        def file(self, path: Path, body: bool) -> None:
            if path.name not in hub.contents and not path.is_file():
                self.say(404, {"X-Error-Code": "EntryNotFound"})
                return
            content = hub.contents[path.name] if path.name in hub.contents else path.read_bytes()
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if body:
                hub.fetched.append(path.name)
            self.say(200, headers, content, body)

        def say(self, status: int, headers: dict[str, str], content: bytes = b"", body: bool = True) -> None:
            self.send_response(status)
            for name, value in (headers | hub.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for begin in range(0, len(content) if body else 0, CHUNK):
                self.wfile.write(content[begin : begin + CHUNK])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
