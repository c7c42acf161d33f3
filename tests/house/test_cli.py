"""The commands as operators type them: what they print, and with which code they end."""

import tomllib

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
