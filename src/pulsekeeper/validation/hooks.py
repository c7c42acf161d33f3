"""How the project's own scalars get in and out of JSON and TOML. For msgspec's `dec_hook` and `enc_hook`."""

from pulsekeeper.scalars import Duration, Secret

MASK = "•••"
"""What is printed in place of a secret."""


def decode_hook(to: type, value: object) -> object:
    """Make a `Duration` or a `Secret` of a string; a ready one stays. Raises `ValueError` or `TypeError`."""
    if isinstance(value, to) and to in {Duration, Secret}:
        return value
    if to is Duration and isinstance(value, str):
        return Duration.parse(value)
    if to is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError


def encode_hook(value: object) -> str:
    """A duration as people write it; a secret masked, or empty when there is none. Raises `NotImplementedError`."""
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, Secret):
        return MASK if value else ""
    raise NotImplementedError(f"a {type(value).__name__} has no form in JSON")
