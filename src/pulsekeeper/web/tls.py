"""The TLS certificate and its key, looked at before anything is started with them."""

import ssl
from pathlib import Path

from pulsekeeper.errors import PulsekeeperError
from pulsekeeper.web.settings import Settings

_MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""OpenSSL's reasons when certificate and key are each good; the last for keys of different kinds."""


class UnusableCertificate(PulsekeeperError):
    """TLS is configured with files that cannot be read, or that are not what they should be. Names the file."""

    title = "Unusable certificate"


def check_certificate(settings: Settings) -> None:
    """Returns when there is no TLS, or when it can be served. Raises `UnusableCertificate`."""
    if not settings.certfile:
        return
    for name, path in (("certfile", settings.certfile), ("keyfile", settings.keyfile)):
        _check_readable(name, path)
    _check_pem(settings)
    _check_pair(settings)


def _check_readable(name: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise UnusableCertificate(f"web.{name}: {path!r} cannot be read: {_reason(error)}") from None


def _check_pem(settings: Settings) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=settings.certfile)
    except OSError:
        raise UnusableCertificate(f"web.certfile: {settings.certfile!r} holds no certificate in PEM") from None


def _check_pair(settings: Settings) -> None:
    try:
        # With a password, which is none: OpenSSL would otherwise ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certfile, settings.keyfile, password="")
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            fault = f"is not the key of {settings.certfile!r}"
        else:
            fault = "holds no private key in PEM without a password"
        raise UnusableCertificate(f"web.keyfile: {settings.keyfile!r} {fault}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "its name cannot be one"
