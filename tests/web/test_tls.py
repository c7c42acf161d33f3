"""TLS files that cannot be served are told by their names, before anything is started."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pulsekeeper.web.settings import Settings
from pulsekeeper.web.tls import UnusableCertificate, check_certificate
from tests.web.clients import PEM


def refusal(certfile: Path, keyfile: Path) -> str:
    with pytest.raises(UnusableCertificate) as refused:
        check_certificate(Settings(certfile=str(certfile), keyfile=str(keyfile)))
    return str(refused.value)


def test_without_tls_there_is_nothing_to_check() -> None:
    check_certificate(Settings())


def test_a_certificate_with_its_key_is_good() -> None:
    check_certificate(Settings(certfile=str(PEM), keyfile=str(PEM)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """It was a traceback for each restart of the front, and no file was named in any."""
    missing = tmp_path / "missing.pem"

    assert refusal(missing, PEM) == f"web.certfile: {str(missing)!r} cannot be read: No such file or directory"
    assert refusal(PEM, missing) == f"web.keyfile: {str(missing)!r} cannot be read: No such file or directory"
    assert refusal(PEM, tmp_path) == f"web.keyfile: {str(tmp_path)!r} cannot be read: Is a directory"


def test_a_file_with_something_else_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("hello")

    assert refusal(other, PEM) == f"web.certfile: {str(other)!r} holds no certificate in PEM"
    assert refusal(PEM, other) == f"web.keyfile: {str(other)!r} holds no private key in PEM without a password"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a key")
def test_the_key_of_another_certificate_and_a_locked_one_are_told_apart(tmp_path: Path) -> None:
    other, locked = tmp_path / "other.pem", tmp_path / "locked.pem"
    make = ["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]
    subprocess.run([*make, other], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", other, "-aes256", "-passout", "pass:x", "-out", locked], check=True)

    assert refusal(PEM, other) == f"web.keyfile: {str(other)!r} is not the key of {str(PEM)!r}"
    assert refusal(PEM, locked) == f"web.keyfile: {str(locked)!r} holds no private key in PEM without a password"
