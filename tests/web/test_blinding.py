"""Keys that stand for somebody without saying who it is."""

from pulsekeeper.web.blinding import Blinding


def test_one_value_has_one_key_which_is_worth_nothing_elsewhere() -> None:
    blind = Blinding()
    key = blind("192.0.2.1")
    assert key == blind("192.0.2.1")
    assert len({key, blind("192.0.2.2"), Blinding()("192.0.2.1")}) == 3
    assert "192" not in key
