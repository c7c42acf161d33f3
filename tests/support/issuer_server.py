"""A web server for documents of issuers, run as a process: `python issuer_server.py FOLDER PORT`.

What it answers lies in the folder: `PATH` is served as it is, `PATH.status` holds another status than 200, `PATH.to`
an address to redirect to, and while there is a `PATH.hold` the answer waits. Every request is a line in `requests`,
written before it is answered. The port that it listens on is written to `port`.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_POLL = 0.005


def serve(folder: Path, port: int) -> None:
    """Serve until the process ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock, (folder / "requests").open("a") as log:
                log.write(self.path + "\n")
            document = folder / self.path.lstrip("/")
            while _beside(document, "hold").exists():
                time.sleep(_POLL)
            status, redirect = _beside(document, "status"), _beside(document, "to")
            body = document.read_bytes() if document.is_file() else b""
            self.send_response(int(status.read_text()) if status.exists() else 200 if body else 404)
            if redirect.exists():
                self.send_header("Location", redirect.read_text())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that the library has
            """Nothing is printed."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has read enough and left is no news."""

    server = Server(("127.0.0.1", port), Handler)
    announcement = folder / "port.new"
    announcement.write_text(str(server.server_address[1]))
    announcement.rename(folder / "port")
    server.serve_forever()


def _beside(document: Path, kind: str) -> Path:
    return document.with_name(f"{document.name}.{kind}")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
