"""How scalars that read themselves get in and out of JSON and TOML. For msgspec's `dec_hook` and `enc_hook`."""

from pulsekeeper.scalars import Secret, is_written

MASK = "•••"
"""What is printed in place of a secret."""


def decode_hook(to: type, value: object) -> object:
    """Make a `Written` of a string; a ready one stays. Raises `ValueError` with a sentence, or `TypeError`."""
    if not is_written(to):
        raise TypeError
    if isinstance(value, to):
        return value
    if isinstance(value, str):
        return to.parse(value)
    raise TypeError


def encode_hook(value: object) -> str:
    """A scalar as people write it; a secret masked, or empty when there is none. Raises `NotImplementedError`."""
    if isinstance(value, Secret):
        return MASK if value else ""
    if is_written(type(value)):
        return str(value)
    raise NotImplementedError(f"a {type(value).__name__} has no form in JSON")
