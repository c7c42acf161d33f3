"""Addresses, keys and scopes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.errors import Unauthorized
from pulsekeeper.web.identity import UNKNOWN, Scope, bearer, client_address, networks, parse_address

PROXIES = networks(["10.0.0.0/8", "2001:db8:ffff::/48"])


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", UNKNOWN),
        ("<local>", UNKNOWN),
        ("/run/socket", UNKNOWN),
    ],
)
def test_an_address_is_brought_to_one_form(peer: str, address: str) -> None:
    assert client_address(peer, None, ()) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", "203.0.113.5", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("::ffff:10.0.0.1", "203.0.113.5:1234", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.5, 10.2.3.4", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1,[2001:db8:ffff::1]:80", "198.51.100.1"),
        ("10.0.0.1", "2001:db8:5:6::1", "2001:db8:5:6::/64"),
        ("10.0.0.1", "203.0.113.5, unknown, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "203.0.113.5,", "10.0.0.1"),
        ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
    ],
    ids=[
        "a stranger's header is not believed",
        "a proxy's is",
        "a mapped proxy's too",
        "the first from the right that is no proxy",
        "proxies with ports and brackets",
        "IPv6 by its /64",
        "garbage ends the walk at the last proxy",
        "so does an empty entry",
        "all proxies: the leftmost",
        "empty header",
        "no header",
    ],
)
def test_forwarded_addresses_are_believed_from_proxies_only(peer: str, forwarded: str | None, address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


@given(peer=st.text(), forwarded=st.text() | st.none())
def test_no_text_breaks_the_walk(peer: str, forwarded: str | None) -> None:
    assert client_address(peer, forwarded, PROXIES)


@given(address=st.ip_addresses(), forged=st.ip_addresses())
def test_a_client_cannot_choose_its_address(address: object, forged: object) -> None:
    """Whatever a client puts into the header stands to the left of what the proxy adds."""
    direct = parse_address(str(address))
    assert direct is not None
    if not any(direct in network for network in PROXIES):
        assert client_address("10.0.0.1", f"{forged}, {address}", PROXIES) == client_address(
            str(address), None, PROXIES
        )


def test_a_bearer_token_is_found_whatever_the_case_of_its_scheme() -> None:
    assert bearer("Bearer pk_admin_x.Y-z~1+/==") == "pk_admin_x.Y-z~1+/=="
    assert bearer(" bEaReR  abc ") == "abc"
    assert bearer(None) is None


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer a, Bearer b", "Bearer \xff", "abc"]
)
def test_another_form_of_authorization_is_refused(header: str) -> None:
    with pytest.raises(Unauthorized):
        bearer(header)


def test_an_absurdly_long_token_is_refused() -> None:
    with pytest.raises(Unauthorized):
        bearer("Bearer " + "a" * 10_000)


def test_an_admin_may_do_everything_and_the_others_their_own() -> None:
    grants = {(have, need) for have in Scope for need in Scope if have.grants(need)}
    admin = {(Scope.ADMIN, need) for need in Scope}
    assert grants == admin | {(Scope.WORKER, Scope.WORKER), (Scope.METRICS, Scope.METRICS)}
