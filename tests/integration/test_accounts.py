"""People who sign in: accounts, passwords, sessions, and how guessing is made slow."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text, update

from services import audit, keys
from services.accounts import passwords, people, sessions, throttle
from services.accounts.people import Account
from services.database import Database
from services.errors import Conflict, Forbidden, NotFound, Rejected, Unauthenticated
from services.keys import Caller
from services.models import accounts
from tests.support.trials import NOW_US

PASSWORD = "correct horse battery"
ADMIN_KEY = "the-admin-key-of-the-test"
ADDRESS = "192.0.2.7"
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US


def new_account(db: Database, name: str = "clinic", **changes: Any) -> Account:
    wanted: dict[str, Any] = {
        "role": "clinician",
        "password": PASSWORD,
        "person": "the investigator",
        "by": "test",
        "now_us": NOW_US,
    }
    return people.create(db, name, **(wanted | changes))


def enter(db: Database, name: str = "clinic", password: str = PASSWORD, at_us: int = NOW_US) -> str:
    return sessions.sign_in(db, name, password, ADDRESS, at_us)


def whose(db: Database, cookie: str, at_us: int = NOW_US, admin_key: str = ADMIN_KEY) -> Caller:
    return sessions.recognise(db, cookie, admin_key, at_us).caller


def audited(db: Database) -> list[tuple[str, str]]:
    with db.reading() as conn:
        rows = conn.execute(
            text("SELECT action, object FROM audit WHERE chain = 'admin' ORDER BY n")
        )
        return [(row.action, row.object) for row in rows]


# --- accounts -----------------------------------------------------------------------------------
def test_an_account_is_its_role_its_trials_and_a_person(database: Database) -> None:
    new_account(database, trials=["b", "a"])
    caller = whose(database, enter(database))
    assert caller == Caller(
        "account:clinic", "clinician", frozenset({"a", "b"}), "the investigator"
    )


def test_neither_password_nor_cookie_is_stored(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    with pytest.raises(Unauthenticated):
        enter(database, password="another password")
    with pytest.raises(Unauthenticated):
        enter(database, name="my secret password")
    with database.reading() as conn:
        for table in ("accounts", "sessions", "guesses", "audit"):
            stored = str(conn.execute(text(f"SELECT * FROM {table}")).all())
            for secret in (PASSWORD, cookie, "another password", "my secret password"):
                assert secret not in stored


def test_a_cookie_has_256_random_bits(database: Database) -> None:
    new_account(database)
    cookies = {enter(database) for _ in range(10)}
    assert len(cookies) == 10
    assert all(len(cookie) == 43 for cookie in cookies)


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("short", "12 to 256 characters"),
        ("x" * 300, "12 to 256 characters"),
        ("clinic-and-some-more", "easily guessed"),
        ("aaaaaaaaaaaaaaaa", "easily guessed"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused(
    database: Database, password: str, complaint: str
) -> None:
    with pytest.raises(Rejected) as refused:
        new_account(database, password=password)
    assert complaint in refused.value.problems[0].detail
    assert people.every(database) == []


@pytest.mark.parametrize(
    "wrong", [{"name": "Clinic"}, {"name": ""}, {"role": "publisher"}, {"trials": []}]
)
def test_an_account_that_nobody_could_use_is_refused(
    database: Database, wrong: dict[str, Any]
) -> None:
    with pytest.raises(Rejected):
        new_account(database, **wrong)


def test_a_name_is_never_given_twice(database: Database) -> None:
    new_account(database)
    with pytest.raises(Conflict):
        new_account(database)
    people.disable(database, "clinic", by="test", now_us=NOW_US)
    with pytest.raises(Conflict):
        new_account(database)


def test_generated_passwords_are_taken_and_differ() -> None:
    made = {passwords.generate() for _ in range(50)}
    assert len(made) == 50
    assert all(passwords.hashed(password, "clinician") for password in list(made)[:3])


def test_who_is_disabled_is_out_at_once_and_may_come_back(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    people.disable(database, "clinic", by="test", now_us=NOW_US)
    with pytest.raises(Unauthenticated):
        whose(database, cookie)
    with pytest.raises(Unauthenticated):
        enter(database)
    people.enable(database, "clinic", by="test", now_us=NOW_US)
    with pytest.raises(Unauthenticated):
        whose(database, cookie)
    assert whose(database, enter(database, at_us=NOW_US + HOUR_US), NOW_US + HOUR_US).person
    with pytest.raises(NotFound):
        people.disable(database, "nobody", by="test", now_us=NOW_US)


def test_another_password_ends_the_sessions_of_the_old_one(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    people.set_password(database, "clinic", "quite another sentence", by="test", now_us=NOW_US)
    with pytest.raises(Unauthenticated):
        whose(database, cookie)
    with pytest.raises(Unauthenticated):
        enter(database)
    assert whose(database, enter(database, password="quite another sentence")).person


def test_another_role_counts_with_the_next_request(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    with database.writing() as conn:
        conn.execute(update(accounts).values(role="ops", trials='["a"]'))
    caller = whose(database, cookie)
    assert (caller.role, caller.trials) == ("ops", frozenset({"a"}))


# --- sessions -----------------------------------------------------------------------------------
@pytest.mark.parametrize("cookie", ["", "x", "a" * 43, "ключ", "\udcff", "a" * 100_000])
def test_a_cookie_that_we_did_not_make_is_nobodys(database: Database, cookie: str) -> None:
    new_account(database)
    enter(database)
    with pytest.raises(Unauthenticated):
        whose(database, cookie)


def test_a_session_ends_after_an_hour_without_a_request(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    almost = sessions.IDLE_US - 1
    whose(database, cookie, NOW_US + almost)
    whose(database, cookie, NOW_US + 2 * almost)
    with pytest.raises(Unauthenticated):
        whose(database, cookie, NOW_US + 2 * almost + sessions.IDLE_US)


def test_what_a_page_asks_by_itself_does_not_keep_a_session_alive(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    for minute in range(0, 60, 5):
        at_us = NOW_US + minute * 60 * SECOND_US
        sessions.recognise(database, cookie, None, at_us, active=False)
    with pytest.raises(Unauthenticated):
        sessions.recognise(database, cookie, None, NOW_US + HOUR_US, active=False)


def test_a_session_ends_after_twelve_hours_whatever_is_done(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    for half_hours in range(1, 24):
        whose(database, cookie, NOW_US + half_hours * HOUR_US // 2)
    with pytest.raises(Unauthenticated):
        whose(database, cookie, NOW_US + sessions.LONGEST_US)


def test_signing_out_ends_one_session_and_no_other(database: Database) -> None:
    new_account(database)
    first, second = enter(database), enter(database)
    found = sessions.recognise(database, first, None, NOW_US)
    sessions.sign_out(database, found, NOW_US)
    sessions.sign_out(database, found, NOW_US)
    with pytest.raises(Unauthenticated):
        whose(database, first)
    assert whose(database, second).person
    assert audited(database).count(("session.ended", "account:clinic")) == 1


def test_a_key_signs_in_and_its_revocation_ends_the_session(database: Database) -> None:
    made, secret = keys.create(database, role="ops", trials=["a"], by="test", now_us=NOW_US)
    cookie = sessions.sign_in_with_key(database, secret, ADMIN_KEY, ADDRESS, NOW_US)
    assert whose(database, cookie) == Caller(made.id, "ops", frozenset({"a"}), None)
    keys.revoke(database, made.id, by="test", now_us=NOW_US)
    with pytest.raises(Unauthenticated):
        whose(database, cookie)


def test_another_bootstrap_key_ends_the_sessions_of_the_old_one(database: Database) -> None:
    cookie = sessions.sign_in_with_key(database, ADMIN_KEY, ADMIN_KEY, ADDRESS, NOW_US)
    assert whose(database, cookie).role == "admin"
    with pytest.raises(Unauthenticated):
        whose(database, cookie, admin_key="another-key-of-the-test")


def test_a_publishers_key_has_no_page(database: Database) -> None:
    _, secret = keys.create(database, role="publisher", by="test", now_us=NOW_US)
    with pytest.raises(Forbidden, match="no page"):
        sessions.sign_in_with_key(database, secret, None, ADDRESS, NOW_US)


def test_sign_in_sign_out_and_failures_are_audited_without_what_was_typed(
    database: Database,
) -> None:
    new_account(database)
    for name, password in (("clinic", "wrong"), ("nobody", "wrong")):
        with pytest.raises(Unauthenticated):
            enter(database, name, password)
    sessions.sign_out(database, sessions.recognise(database, enter(database), None, NOW_US), NOW_US)
    assert audited(database) == [
        ("account.created", "clinic"),
        ("session.refused", "clinic"),
        ("session.refused", "unknown"),
        ("session.began", "account:clinic"),
        ("session.ended", "account:clinic"),
    ]
    assert audit.verify(database) == []


def test_who_is_signed_in_stands_for_the_stream_and_who_left_does_not(database: Database) -> None:
    new_account(database)
    cookie = enter(database)
    caller = whose(database, cookie)
    with database.reading() as conn:
        assert keys.standing(conn, [caller]) == {caller}
    sessions.sign_out(database, sessions.recognise(database, cookie, None, NOW_US), NOW_US)
    with database.reading() as conn:
        assert keys.standing(conn, [caller]) == set()


# --- guessing -----------------------------------------------------------------------------------
def refused(db: Database, at_us: int, name: str = "clinic", address: str = ADDRESS) -> int:
    """Seconds that a wrong try must wait; 0 if it was heard."""
    try:
        sessions.sign_in(db, name, "a wrong password", address, at_us)
    except throttle.Throttled as error:
        return error.seconds
    except Unauthenticated:
        return 0
    raise AssertionError(name)


def test_after_five_wrong_tries_each_one_waits_twice_as_long(database: Database) -> None:
    new_account(database)
    assert [refused(database, NOW_US) for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    at_us, waits = NOW_US, []
    for _ in range(9):
        wait_s = refused(database, at_us)
        waits.append(wait_s)
        at_us += wait_s * SECOND_US
        assert refused(database, at_us) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_right_password_waits_too_and_then_begins_anew(database: Database) -> None:
    new_account(database)
    for _ in range(6):
        refused(database, NOW_US)
    with pytest.raises(throttle.Throttled):
        enter(database)
    enter(database, at_us=NOW_US + SECOND_US)
    assert [refused(database, NOW_US + SECOND_US) for _ in range(5)] == [0] * 5


def test_a_name_that_no_store_can_hold_is_refused_as_any_other(database: Database) -> None:
    new_account(database)
    assert [refused(database, NOW_US, "clinic\x00") for _ in range(6)] == [0, 0, 0, 0, 0, 1]


def test_a_clock_that_was_set_back_locks_nobody_out(database: Database) -> None:
    new_account(database)
    for _ in range(6):
        refused(database, NOW_US)
    assert refused(database, NOW_US) > 0
    enter(database, at_us=NOW_US - 7200 * SECOND_US)


def test_a_name_that_does_not_exist_is_guarded_as_one_that_does(database: Database) -> None:
    new_account(database)
    ours = [refused(database, NOW_US, "clinic", "192.0.2.1") for _ in range(8)]
    theirs = [refused(database, NOW_US, "nobody", "192.0.2.2") for _ in range(8)]
    assert ours == theirs


def test_one_address_cannot_go_through_many_names(database: Database) -> None:
    heard = [refused(database, NOW_US, f"person{n}") for n in range(35)]
    assert heard[:30] == [0] * 30
    assert all(heard[30:])
    assert refused(database, NOW_US, "person1", "192.0.2.99") == 0


def test_guesses_at_the_same_time_are_counted_each(database: Database) -> None:
    new_account(database)
    heard: list[int] = []
    threads = [
        threading.Thread(target=lambda: heard.append(refused(database, NOW_US))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard.count(0) == 5


def test_after_a_quiet_hour_the_tries_are_forgotten(database: Database) -> None:
    new_account(database)
    for _ in range(6):
        refused(database, NOW_US)
    later = NOW_US + throttle.FORGIVEN_AFTER_US
    assert [refused(database, later) for _ in range(6)] == [0, 0, 0, 0, 0, 1]


def test_a_password_is_looked_at_also_where_there_is_no_account(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the time that an answer takes would tell which names exist."""
    new_account(database)
    looked: list[bool] = []
    verify = passwords._HASHER.verify

    class Seen:
        def verify(self, *given: str) -> bool:
            looked.append(True)
            return verify(*given)

    monkeypatch.setattr(passwords, "_HASHER", Seen())
    refused(database, NOW_US, "nobody")
    assert looked == [True]
    people.disable(database, "clinic", by="test", now_us=NOW_US)
    with pytest.raises(Unauthenticated):
        enter(database)
    assert looked == [True, True]
