"""An issuer of ID tokens as it is in the world: a process of its own, real sockets, real keys, and moods."""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pulsekeeper.access.model import IssuerSettings
from tests.support import issuer_server
from tests.support.id_tokens import SigningKey

AUDIENCE = "the-site"
_PATIENCE = 30.0
_DISCOVERY = ".well-known/openid-configuration"
_JWKS = "keys.json"
_numbers = itertools.count(1)


class IssuerProcess:
    """The server that issuers are on. Everything here blocks, briefly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run, on the same port each time."""
        announcement = self.folder / "port"
        announcement.unlink(missing_ok=True)
        command = [sys.executable, issuer_server.__file__, str(self.folder), str(self._port)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE
        while not announcement.exists():
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self._port = int(announcement.read_text())

    def kill(self) -> None:
        """`kill -9`: nobody listens any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None

    def open_issuer(self, *keys: SigningKey) -> "Issuer":
        """A new issuer on this server that has published these keys."""
        name = f"issuer-{next(_numbers)}"
        issuer = Issuer(self.folder, name, f"http://127.0.0.1:{self._port}/{name}")
        issuer.publish(*keys)
        return issuer


class Issuer:
    """One issuer: what it publishes, how it behaves, and how often it was asked."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.url = url
        self.jwks_url = f"{url}/{_JWKS}"
        self._root = folder
        self._name = name
        self.write(_DISCOVERY, msgspec.json.encode({"issuer": url, "jwks_uri": self.jwks_url}))

    def settings(self, **changes: str) -> IssuerSettings:
        """What an operator would configure."""
        return IssuerSettings(**{"issuer": self.url, "audience": AUDIENCE, **changes})

    def publish(self, *keys: SigningKey) -> None:
        """Replace the published keys, all at once."""
        self.publish_jwks([key.jwk for key in keys])

    def publish_jwks(self, jwks: Sequence[object]) -> None:
        """Replace the published keys with anything."""
        self.write(_JWKS, msgspec.json.encode({"keys": jwks}))

    def publish_bytes(self, document: bytes) -> None:
        """Publish what may be no keys at all."""
        self.write(_JWKS, document)

    def discover_bytes(self, document: bytes) -> None:
        """Have a discovery document that may be none."""
        self.write(_DISCOVERY, document)

    def answer_with(self, status: int, to: str = "") -> None:
        """Answer requests for the keys with this status, and a redirection if there is an address."""
        self.write(f"{_JWKS}.status", str(status).encode())
        if to:
            self.write(f"{_JWKS}.to", to.encode())

    def hold(self) -> None:
        """Take requests for the keys, and answer none until `release`."""
        self.write(f"{_JWKS}.hold", b"held")

    def release(self) -> None:
        """Answer those that wait, and the next ones."""
        (self._root / self._name / f"{_JWKS}.hold").unlink()

    def fetches(self) -> int:
        """How many requests for the keys have come."""
        log = self._root / "requests"
        return log.read_text().splitlines().count(f"/{self._name}/{_JWKS}") if log.exists() else 0

    def write(self, path: str, content: bytes) -> None:
        """Put a document on the server, so that no reader finds half of it."""
        target = self._root / self._name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(target.name + ".draft")
        draft.write_bytes(content)
        draft.rename(target)


@contextmanager
def issuer_process() -> Iterator[IssuerProcess]:
    """A running server without any issuer yet, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pulsekeeper-test-") as folder:
        process = IssuerProcess(Path(folder))
        process.start()
        try:
            yield process
        finally:
            process.kill()
