"""An admin key that could be guessed, or that no request could carry, is refused at the start."""

import pytest

from pulsekeeper.access.model import Settings
from pulsekeeper.errors import Invalid
from pulsekeeper.scalars import Secret
from pulsekeeper.validation import convert


def test_no_admin_key_is_the_default() -> None:
    assert not Settings().admin_key


@pytest.mark.parametrize("key", ["short", "sixteen chars   ", "schlüssel-schlüssel", "line-line-line-line\n"])
def test_a_weak_or_unpresentable_admin_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(Invalid) as caught:
        convert({"admin_key": key}, Settings, unknown="refuse")

    (fault,) = caught.value.faults
    assert fault.detail == "expected an admin_key of at least 16 letters, digits or any of - . _ ~ + /"


def test_a_key_from_a_generator_is_accepted() -> None:
    assert Settings(admin_key=Secret("mFq0T4rXw1mD5yJ+/9aQ=="))
