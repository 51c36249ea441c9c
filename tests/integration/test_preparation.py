"""The first start, and the ones after it: keys and accounts are made once, whatever came between."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.accounts import people, sessions
from services.clock import now_us
from services.database import Database
from services.errors import ServiceError
from services.supervisor import premises, preparation


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is stored is tested on both stores elsewhere."""
    return sqlite_url


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


def enter(db: Database, account: premises.SignIn, role: str) -> bool:
    name, password = account[role]["name"], account[role]["password"]
    cookie = sessions.sign_in(db, name, password, "192.0.2.1", now_us())
    return sessions.recognise(db, cookie, None, now_us()).caller.role == role


def start(db: Database, data: Path) -> premises.SignIn:
    """As a start of `vigil up` does it; who may sign in."""
    preparation.make_keys(db, data)
    preparation.make_accounts(db, data)
    return premises.read_sign_in(data)


def test_the_first_start_makes_a_key_and_an_account_a_role(database: Database, data: Path) -> None:
    made = start(database, data)
    assert set(made) == {"clinician", "ops", "admin"}
    assert set(premises.read_keys(data)) == {"publisher", "clinician", "ops", "admin"}
    assert all(enter(database, made, role) for role in made)
    assert stat.S_IMODE((data / "keys.json").stat().st_mode) == 0o600


def test_later_starts_make_nothing(database: Database, data: Path) -> None:
    made, keys = start(database, data), premises.read_keys(data)
    people.disable(database, "ops", by="test", now_us=now_us())
    assert start(database, data) == made
    assert premises.read_keys(data) == keys
    assert len(people.every(database)) == 3


def test_a_directory_of_before_there_were_accounts_gets_them(
    database: Database, data: Path
) -> None:
    preparation.make_keys(database, data)
    keys = premises.read_keys(data)
    premises.write_private(data / "keys.json", keys)
    made = start(database, data)
    assert premises.read_keys(data) == keys
    assert enter(database, made, "clinician")


def test_a_start_that_ended_in_between_is_made_up_for(database: Database, data: Path) -> None:
    preparation.make_keys(database, data)
    account = {"name": "ops", "password": "half a start of ours"}
    premises.write_keys(data, premises.read_keys(data), {"ops": account})
    assert enter(database, start(database, data), "ops")


def test_who_has_the_name_already_keeps_the_password(database: Database, data: Path) -> None:
    preparation.make_keys(database, data)
    people.create(
        database,
        "admin",
        role="admin",
        password="a password of my own",
        by="test",
        now_us=now_us(),
    )
    made = start(database, data)
    assert set(made) == {"clinician", "ops"}
    assert enter(
        database, {"admin": {"name": "admin", "password": "a password of my own"}}, "admin"
    )


@pytest.mark.parametrize("wrong", ['{"sign_in": 5}', '{"sign_in": {"ops": {"name": "ops"}}}'])
def test_accounts_that_cannot_be_read_are_named(data: Path, wrong: str) -> None:
    (data / "keys.json").write_text(wrong)
    with pytest.raises(ServiceError, match=r"keys\.json .*; mend or remove it"):
        premises.read_sign_in(data)
