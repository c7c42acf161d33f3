"""The section [web]."""

import msgspec
import pytest

from pulsekeeper.web.settings import Settings, parse_bind


@pytest.mark.parametrize(
    ("text", "bind"),
    [("127.0.0.1:8000", ("127.0.0.1", 8000)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_an_address_to_listen_on_is_read(text: str, bind: tuple[str, int]) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize("text", ["", "8000", ":8000", "host", "host:", "host:http", "host:65536", "host:-1", "host:²"])
def test_what_is_no_address_to_listen_on_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        parse_bind(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bind": "nowhere"},
        {"trusted_proxies": ["10.0.0.0/99"]},
        {"cors_origins": ["https://example.org/path"]},
        {"cors_origins": ["example.org"]},
        {"certfile": "cert.pem"},
        {"max_connections": 0},
        {"acess_log": "off"},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Settings)


def test_the_defaults_are_valid() -> None:
    assert msgspec.convert({}, Settings) == Settings()
