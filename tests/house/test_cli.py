"""The commands as operators type them: what they print, and with which code they end."""

import tomllib
from pathlib import Path

import pytest

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.postgres import ServerProcess, database_of, run_sql, unique_name
from tests.support.service import ADMIN_KEY, Service, run_command, starting_service
from tests.support.waiting import until_running

PASSWORD = "the-password-of-the-database"


def test_a_new_database_is_told_apart_and_brought_up_to_date(postgres_server: ServerProcess) -> None:
    name = unique_name("empty")
    run_sql(postgres_server.admin_url, f"create database {name}")
    url = database_of(postgres_server.admin_url, name)

    before = run_command(url, "migrate", "status")
    applied = run_command(url, "migrate", "up")
    run_sql(postgres_server.admin_url, f"drop database {name}")

    assert (before.returncode, "pending" in before.stdout) == (1, True)
    assert (applied.returncode, applied.stdout.splitlines()[-1]) == (0, "The schema is up to date.")


def test_the_configuration_is_printed_as_one_that_can_be_read_with_its_secrets_masked() -> None:
    printed = run_command(f"postgresql://somebody:{PASSWORD}@nowhere/none", "check-config")

    assert printed.returncode == 0, printed.stderr
    assert tomllib.loads(printed.stdout)["decisions"]["visit_gap"] == "0s"
    assert PASSWORD not in printed.stdout
    assert ADMIN_KEY not in printed.stdout


def test_everything_that_is_wrong_with_the_configuration_is_told_at_once() -> None:
    refused = run_command("", "serve", web__bnd="127.0.0.1:80", decisions__budget="soon", web__hsts="7")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "PULSEKEEPER_WEB__BND: no setting has this name; did you mean 'PULSEKEEPER_WEB__BIND'?" in refused.stderr
    assert "decisions.budget" in refused.stderr
    assert "web.hsts" in refused.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["why", "01890000-0000-7000-8000-000000000000"], "no decision"),
        (["releases", "put", "x" * 65], "/id"),
        (["keys", "revoke", "none"], "there is no key 'none' that could be revoked"),
        (["tree", "--url", "http://127.0.0.1:1"], "http://127.0.0.1:1"),
    ],
    ids=["an unknown decision", "a bad release", "an unknown key", "a node that is not there"],
)
def test_what_cannot_be_done_is_a_sentence(
    command: list[str], sentence: str, house_database_url: str, house: Service
) -> None:
    refused = run_command(house_database_url, *command)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_an_address_that_is_none_is_refused_before_anything_starts(command: str) -> None:
    """Each actor found out for itself, and crashed over it until the budget was spent."""
    refused = run_command(f"mysql://somebody:{PASSWORD}@nowhere/none", command)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[1:] == [
        "  PULSEKEEPER_DATABASE__URL: database.url: expected an address that begins with postgresql:// or postgres://"
    ]


def test_the_address_of_a_demonstration_is_looked_at_as_well() -> None:
    refused = run_command("", "demo", "--bind", "nowhere")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "expected an address such as '127.0.0.1:8000'" in refused.stderr


def test_a_certificate_that_is_not_there_is_named_before_anything_starts(house_database_url: str) -> None:
    refused = run_command(house_database_url, "serve", web__certfile="/no/cert.pem", web__keyfile="/no/key.pem")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "pulsekeeper: web.certfile: '/no/cert.pem' cannot be read: No such file or directory\n"


@pytest.mark.parametrize("command", [["keys", "list"], ["campaigns", "list"], ["migrate", "status"]])
def test_a_command_in_the_wrong_folder_creates_no_database(command: list[str], tmp_path: Path) -> None:
    """It made one, and said that there was nothing in it."""
    refused = run_command("", *command, "--data", str(tmp_path / "data"))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"pulsekeeper: there is no database in {tmp_path / 'data'}: start the service")
    assert [*tmp_path.iterdir()] == []


def test_commands_need_the_schema_that_they_know(postgres_server: ServerProcess) -> None:
    """An empty database was a traceback about a table that does not exist."""
    name = unique_name("empty")
    run_sql(postgres_server.admin_url, f"create database {name}")
    refused = run_command(database_of(postgres_server.admin_url, name), "keys", "list")
    run_sql(postgres_server.admin_url, f"drop database {name}")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "pulsekeeper: the schema is not up to date: run pulsekeeper migrate up\n"


def test_a_fault_is_told_once(house: Service, house_database_url: str) -> None:
    refused = run_command(house_database_url, "releases", "put", "")

    assert refused.returncode == 1
    assert refused.stderr.count("expected a string of at least 1 character") == 1


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "x" * 101])
def test_the_name_of_a_key_fits_into_a_line(name: str, house: Service, house_database_url: str) -> None:
    refused = run_command(house_database_url, "keys", "create", "--scope", "worker", "--name", name)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "pulsekeeper: the name of a key: expected at most 100 printable characters\n"


def test_ctrl_c_while_everything_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    """Python needs a second for that, which is when people notice that they are in the wrong folder."""
    with starting_service("", "serve", "--data", str(tmp_path / "data")) as service:
        service.wait_loading("/msgspec/")
        service.interrupt()

        assert service.exit_code() == 130
        assert service.log() == "pulsekeeper: interrupted\n"
    assert [*tmp_path.iterdir()] == []


def test_ctrl_c_while_a_database_is_created_leaves_a_folder_to_start_with(tmp_path: Path) -> None:
    with starting_service("", "demo", "--data", str(tmp_path / "data")) as service:
        service.wait_created(tmp_path / "data" / "postgres.new" / "PG_VERSION")
        service.interrupt()

        assert service.exit_code() == 130
        assert service.log().endswith("pulsekeeper: interrupted\n")
        assert "Traceback" not in service.log()
    applied = run_command("", "migrate", "up", "--data", str(tmp_path / "data"))

    assert (applied.returncode, applied.stdout.splitlines()[-1]) == (0, "The schema is up to date.")


def test_without_a_key_the_tree_is_not_asked_for() -> None:
    refused = run_command("", "tree", auth__admin_key="")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("pulsekeeper: auth.admin_key is not set;")


def test_without_a_database_a_command_ends_with_a_sentence(fragile_server: ServerProcess) -> None:
    fragile_server.kill()
    refused = run_command(fragile_server.url.replace("@", f":{PASSWORD}@"), "keys", "list")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("pulsekeeper: The database cannot be reached.")
    assert "Traceback" not in refused.stderr
    assert PASSWORD not in refused.stderr


async def test_ctrl_c_ends_a_command_that_waits(database_url: str, database: Database) -> None:
    """Somebody else is changing the rules, and takes their time."""
    async with database.transaction() as others:
        await others.execute(inline("update rule_book_revision set revision = revision + 1"))
        with starting_service(database_url, "releases", "put", "1.0") as command:
            await until_running(database, "%rule_book_revision%")
            command.interrupt()

            assert await command.wait() == 130
            assert command.log() == "pulsekeeper: interrupted\n"
    assert await database.fetch(inline("select id from releases")) == []
