"""The section [web]."""

import pytest

from pulsekeeper.errors import Invalid
from pulsekeeper.validation import convert
from pulsekeeper.web.settings import Bind, Cidr, Origin, Settings


@pytest.mark.parametrize(
    ("text", "bind"),
    [("127.0.0.1:8000", ("127.0.0.1", 8000)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_an_address_to_listen_on_is_read(text: str, bind: tuple[str, int]) -> None:
    parsed = Bind.parse(text)

    assert (parsed.host, parsed.port, str(parsed)) == (*bind, text)


@pytest.mark.parametrize("text", ["", "8000", ":8000", "host", "host:", "host:http", "host:65536", "host:-1", "host:²"])
def test_what_is_no_address_to_listen_on_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        Bind.parse(text)


def faults(**settings: object) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        convert(settings, Settings, unknown="refuse")
    return {fault.pointer: fault.detail for fault in refused.value.faults}


def test_everything_that_is_wrong_is_told_at_once_each_at_its_own_place() -> None:
    """Each of these kept all others quiet, and was told at the section, when the section checked them itself."""
    network, origin = Cidr.EXPECTED, Origin.EXPECTED

    assert faults(
        bind="localhost",
        trusted_proxies=["10.0.0.0/33", "10.0.0.0/8", "evil"],
        cors_origins=["https://example.org/path", "*", "https://example.org:99999"],
        certfile="cert.pem",
        max_connections=0,
        acess_log="off",
    ) == {
        "/bind": "expected an address such as '127.0.0.1:8000' or '[::1]:8000', got 'localhost'",
        "/trusted_proxies/0": f"expected {network}, got '10.0.0.0/33'",
        "/trusted_proxies/2": f"expected {network}, got 'evil'",
        "/cors_origins/0": f"expected {origin}, got 'https://example.org/path'",
        "/cors_origins/2": f"expected {origin}, got 'https://example.org:99999'",
        "/certfile": "certfile and keyfile are given together or not at all",
        "/max_connections": "expected an integer of at least 1, got 0",
        "/acess_log": "unknown key 'acess_log'; did you mean 'access_log'?",
    }


def test_a_key_without_its_certificate_is_told_at_the_key() -> None:
    assert [*faults(keyfile="key.pem")] == ["/keyfile"]


@pytest.mark.parametrize("text", ["https://example.org", "http://[::1]:3000", "https://EXAMPLE.org:8443", "*"])
def test_an_origin_is_kept_as_browsers_send_it(text: str) -> None:
    assert Origin.parse(text) == text.lower()


def test_the_defaults_are_valid() -> None:
    assert convert({}, Settings, unknown="refuse") == Settings()
