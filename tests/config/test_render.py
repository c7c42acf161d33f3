"""What `check-config` prints: TOML that can be read again, without secrets, with the source of what was set."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.config import load_as, render_toml
from pulsekeeper.config.render import toml_value
from pulsekeeper.scalars import Duration, Secret
from pulsekeeper.validation import convert, to_builtins


class Deep(msgspec.Struct, frozen=True):
    names: dict[str, int | None] = {}
    limit: float | None = None


class Peer(msgspec.Struct, frozen=True):
    name: str


class Section(msgspec.Struct, frozen=True):
    key: Secret = Secret("")
    other: Secret = Secret("")
    wait: Duration = Duration(seconds=90)
    text: str = 'a "quoted" \\ line\n'
    peers: tuple[Peer, ...] = (Peer("a"), Peer("b"))
    deep: Deep = Deep()


class Whole(msgspec.Struct, frozen=True):
    section: Section = Section()


def test_the_result_is_printed_with_secrets_masked_and_sources_named(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_text('section.wait = "2m"\nsection.deep.names = {"a b" = 1}')
    loaded = load_as(Whole, [path], {"PULSEKEEPER_SECTION__KEY": "hunter2"})

    assert render_toml(loaded.config, loaded.sources) == (
        "[section]\n"
        'key = "•••"  # PULSEKEEPER_SECTION__KEY\n'
        'other = ""\n'
        f'wait = "2m"  # {path}\n'
        'text = "a \\"quoted\\" \\\\ line\\n"\n'
        'peers = [{name = "a"}, {name = "b"}]\n'
        "\n"
        "[section.deep]\n"
        f'names = {{"a b" = 1}}  # {path}\n'
        "# limit is not set\n"
    )


def test_the_result_can_be_read_again() -> None:
    whole = Whole(Section(text="ü\x7f\t", deep=Deep({"": 1, "x.y": 2}, 1e300)))

    again = convert(tomllib.loads(render_toml(whole, {})), Whole, unknown="refuse")

    assert to_builtins(again) == to_builtins(whole)


def test_a_source_cannot_end_its_comment() -> None:
    assert "\nport" not in render_toml(Whole(), {("section", "key"): "a\nport = 1"})


plain = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=9)


@given(st.dictionaries(st.text(max_size=5), st.recursive(plain, lambda inner: st.lists(inner, max_size=3))))
def test_every_plain_value_survives_toml(value: dict[str, Any]) -> None:
    assert tomllib.loads(f"it = {toml_value(value)}")["it"] == value
