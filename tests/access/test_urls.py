"""Keys are fetched over TLS, or from this machine."""

import pytest

from pulsekeeper.access.urls import fetchable


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org:8443/realms/one/certs?version=2",
        "http://localhost:8080/keys",
        "http://127.0.0.53/keys",
        "http://[::1]:8080/keys",
    ],
)
def test_tls_and_this_machine_are_believed(url: str) -> None:
    assert fetchable(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "http://example.org",
        "http://10.0.0.1/keys",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "ftp://localhost/keys",
        "file:///etc/passwd",
        "HTTPS://example.org\n",
        "https://",
        "https:///keys",
        "https://user:password@example.org",
        "http://localhost@example.org",
        "http://localhost\\@example.org",
        "https://example.org/#keys",
        "https://example.org:x",
        "https://example.org:99999",
        "https://[::1",
        "https://exämple.org",
        "https://example.org/a b",
    ],
)
def test_plain_text_over_a_network_and_what_may_be_read_in_two_ways_is_not(url: str) -> None:
    assert not fetchable(url)
