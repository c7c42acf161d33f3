"""Layers of settings become one strict configuration, or a list of everything that is wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from pulsekeeper.config import ConfigError, Loaded, load, load_as
from pulsekeeper.scalars import Duration, Secret

Write = Callable[[str], Path]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    burst: int = 5
    ratio: float | None = None


class Peer(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    weight: int = 1


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    bind: str = "127.0.0.1:8000"
    port: Annotated[int, Meta(ge=1, le=65535)] = 80
    secure: bool = False
    proxies: tuple[str, ...] = ()
    weights: list[int] = []
    peers: tuple[Peer, ...] = ()
    limits: Limits = Limits()


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    url: Secret = Secret("")
    data_dir: str = "data"
    timeout: Duration = Duration(seconds=3)
    mode: Literal["fast", "safe"] = "safe"


class Whole(Struct, frozen=True, forbid_unknown_fields=True):
    web: Web = Web()
    database: Database = Database()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.toml"
        path.write_text(text)
        return path

    return write


def loaded(*paths: Path, **environ: str) -> Loaded[Whole]:
    return load_as(Whole, paths, environ)


def problems(*paths: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_as(Whole, paths, environ or {})
    head, *lines = str(caught.value).splitlines()
    assert head == "the configuration cannot be used:"
    return [line.removeprefix("  ") for line in lines]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


def test_nothing_said_means_the_defaults() -> None:
    assert loaded().config.web == Web()
    assert loaded().sources == {}


def test_later_files_win_setting_by_setting(write: Write) -> None:
    first = write('[web]\nbind = "a:1"\nport = 1\n[web.limits]\nburst = 7')
    second = write("[web]\nport = 2\nlimits = {}")

    both = loaded(first, second)

    assert (both.config.web.bind, both.config.web.port, both.config.web.limits.burst) == ("a:1", 2, 7)
    assert both.sources[("web", "port")] == str(second)


def test_the_environment_wins_over_files_whatever_its_case(write: Write) -> None:
    both = loaded(write("[web]\nport = 1"), PULSEKEEPER_web__Port="2", PULSEKEEPER_WEB__LIMITS__BURST="9")

    assert (both.config.web.port, both.config.web.limits.burst) == (2, 9)
    assert both.sources[("web", "port")] == "PULSEKEEPER_WEB__PORT"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("BIND", "8000", "8000"),
        ("SECURE", "True", True),
        ("PROXIES", '["10.0.0.0/8", "::1/128"]', ("10.0.0.0/8", "::1/128")),
        ("PROXIES", "10.0.0.0/8, ::1/128,", ("10.0.0.0/8", "::1/128")),
        ("PROXIES", "", ()),
        ("WEIGHTS", "1,2", [1, 2]),
        ("WEIGHTS", "3", [3]),
        ("PEERS", '[{name = "a"}, {name = "b", weight = 2}]', (Peer("a"), Peer("b", 2))),
        ("PEERS", '[{"name": "a"},\n {"name": "b", "weight": 2}]', (Peer("a"), Peer("b", 2))),
        ("PEERS", "[]", ()),
        ("LIMITS__RATIO", "0.5", Limits(ratio=0.5)),
        ("LIMITS__RATIO", "", Limits(ratio=None)),
    ],
)
def test_variables_are_text_toml_literals_or_lists_as_the_setting_wants(name: str, text: str, expected: object) -> None:
    web = load_as(Whole, [], {f"PULSEKEEPER_WEB__{name}": text}).config.web

    assert getattr(web, name.partition("__")[0].lower()) == expected


def test_tables_in_a_list_replace_those_of_an_earlier_layer(write: Write) -> None:
    first, second = (
        write("[web]\n[[web.peers]]\nname = 'a'\n[[web.peers]]\nname = 'b'"),
        write("[[web.peers]]\nname = 'c'"),
    )

    assert loaded(first).config.web.peers == (Peer("a"), Peer("b"))
    assert loaded(first, second).config.web.peers == (Peer("c"),)
    assert loaded(first, PULSEKEEPER_WEB__PEERS="").config.web.peers == ()


def test_what_is_wrong_in_a_table_of_a_list_is_told_with_its_number(write: Write) -> None:
    path = write('[[web.peers]]\nname = "a"\n[[web.peers]]\nnmae = "b"')

    assert problems(path) == [
        f"{path}: web.peers.1.name: missing: expected a string",
        f"{path}: web.peers.1.nmae: unknown key 'nmae'; did you mean 'name'?",
    ]


@pytest.mark.parametrize("text", ['[{"name": "a"}', '[{"name": 1}]', "[" * 10_000, "a, b", '{"name": "a"}'])
def test_a_list_of_tables_in_a_variable_that_is_none_is_told_with_its_name(text: str) -> None:
    assert {problem.partition(":")[0] for problem in problems(environ={"PULSEKEEPER_WEB__PEERS": text})} == {
        "PULSEKEEPER_WEB__PEERS"
    }


def test_the_usual_database_variables_are_understood_and_ours_win() -> None:
    usual = loaded(DATABASE_URL="postgresql://a/b", PULSEKEEPER_DATA_DIR="/srv", PULSEKEEPER_DATABASE__TIMEOUT="1m")
    ours = loaded(DATABASE_URL="postgresql://a/b", PULSEKEEPER_DATABASE__URL="postgresql://c/d")

    assert (usual.config.database.url.reveal(), usual.config.database.data_dir) == ("postgresql://a/b", "/srv")
    assert usual.config.database.timeout == Duration(minutes=1)
    assert ours.config.database.url.reveal() == "postgresql://c/d"


def test_an_empty_usual_variable_counts_as_not_set() -> None:
    assert loaded(DATABASE_URL="", PULSEKEEPER_DATA_DIR="").config.database.data_dir == "data"


def test_a_secret_may_come_from_a_file_without_its_last_newline(write: Write) -> None:
    secret = loaded(PULSEKEEPER_DATABASE__URL_FILE=str(write("postgresql://a/b\n\n"))).config.database.url

    assert secret.reveal() == "postgresql://a/b\n"


def test_a_named_file_is_read_instead_of_the_usual_one(write: Write) -> None:
    Path("config").mkdir()
    Path("config/pulsekeeper.toml").write_text("[web]\nport = 5")

    assert loaded().config.web.port == 5
    assert loaded(PULSEKEEPER_CONFIG=str(write("[web]\nport = 6"))).config.web.port == 6
    assert loaded(write("[web]\nport = 7"), PULSEKEEPER_CONFIG="nowhere").config.web.port == 7


def test_everything_wrong_is_told_at_once_with_its_source(write: Write) -> None:
    path = write('[web]\nbnid = "a:1"\nport = 0\n[databse]\nurl = "x"\n[database]\nmode = "quick"\nurl = 5')

    assert set(
        problems(
            path,
            environ={"PULSEKEEPER_WEB__PROT": "1", "PULSEKEEPER_WEB__SECURE": "yes", "PULSEKEEPER_WEB__WEIGHTS": "1,x"},
        )
    ) == {
        f"{path}: web.bnid: unknown key 'bnid'; did you mean 'bind'?",
        f"{path}: web.port: expected an integer of at least 1 and of at most 65535, got 0",
        f"{path}: databse: unknown key 'databse'; did you mean 'database'?",
        f"{path}: database.mode: expected one of 'fast', 'safe', got 'quick'",
        f"{path}: database.url: expected a string",
        "PULSEKEEPER_WEB__PROT: no setting has this name; did you mean 'PULSEKEEPER_WEB__PORT'?",
        "PULSEKEEPER_WEB__SECURE: web.secure: expected true or false, got 'yes'",
        "PULSEKEEPER_WEB__WEIGHTS: web.weights.1: expected an integer, got 'x'",
    }


def test_an_empty_section_that_nobody_knows_is_refused(write: Write) -> None:
    path = write("[wbe]")

    assert problems(path) == [f"{path}: wbe: unknown key 'wbe'; did you mean 'web'?"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[web]\nport 1", "is not TOML: Expected '=' after a key in a key/value pair (at line 2, column 6)"),
        (b"# \xff", "is not UTF-8: invalid start byte at byte 2"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"#" * 1_048_577, "cannot be read: larger than 1048576 bytes"),
    ],
    ids=["toml", "utf-8", "deep", "large"],
)
def test_a_file_that_cannot_be_read_is_told_with_the_position(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)

    assert problems(path) == [f"{path}: {sentence}"]


def test_a_missing_file_is_refused() -> None:
    assert problems(Path("nowhere.toml")) == ["nowhere.toml: cannot be read: No such file or directory"]


def test_files_for_secrets_must_be_there_and_alone(tmp_path: Path) -> None:
    name = "PULSEKEEPER_DATABASE__URL"
    missing = str(tmp_path / "missing")

    assert problems(environ={f"{name}_FILE": missing}) == [
        f"{name}_FILE: the file '{missing}' cannot be read: No such file or directory"
    ]
    assert problems(environ={f"{name}_FILE": missing, name: "x"}) == [
        f"{name}_FILE: set either this or {name}, not both"
    ]


def test_an_empty_file_is_no_secret(write: Write) -> None:
    """A secret that was not mounted was taken for one that is not set, and the service started without a key."""
    for text in ("", "\n"):
        path = write(text)
        assert problems(environ={"PULSEKEEPER_DATABASE__URL_FILE": str(path)}) == [
            f"PULSEKEEPER_DATABASE__URL_FILE: the file '{path}' is empty"
        ]


def test_what_is_wrong_in_any_section_is_told_with_its_own_source(write: Write) -> None:
    """Addresses, keys and networks were checked by their sections, which spoke up only when all else was well."""
    path = write(
        '[web]\nbind = "localhost"\ntrusted_proxies = ["10.0.0.0/33"]\ncertfile = "a.pem"\n'
        '[decisions]\nnext_check_min = "2h"'
    )

    with pytest.raises(ConfigError) as refused:
        load([path], {"DATABASE_URL": "mysql://hunter2", "PULSEKEEPER_AUTH__ADMIN_KEY": "hunter2"})

    assert [problem.strip().rpartition(": expected")[0] for problem in str(refused.value).splitlines()[1:]] == [
        f"{path}: web.bind",
        f"{path}: web.trusted_proxies.0",
        "",
        "DATABASE_URL: database.url",
        "PULSEKEEPER_AUTH__ADMIN_KEY: auth.admin_key",
        f"{path}: decisions.next_check_min",
    ]
    assert f"{path}: web.certfile: certfile and keyfile are given together or not at all" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_only_secrets_may_come_from_files() -> None:
    assert problems(environ={"PULSEKEEPER_WEB__BIND_FILE": "x"}) == [
        "PULSEKEEPER_WEB__BIND_FILE: no setting has this name; did you mean 'PULSEKEEPER_WEB__BIND'?"
    ]


def test_a_variable_cannot_smuggle_in_a_second_setting() -> None:
    (problem,) = problems(environ={"PULSEKEEPER_WEB__PORT": "1\nother = 2"})

    assert problem.endswith(r"got '1\nother = 2'")


def test_a_secret_is_in_no_problem_and_in_no_cause(write: Write) -> None:
    path = write('web = "hunter2"\n[database]\nurl = ["hunter2"]')

    with pytest.raises(ConfigError) as caught:
        load_as(Whole, [path], {"PULSEKEEPER_DATABASE__URL": "hunter2", "PULSEKEEPER_WEBB": "hunter2"})

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
