"""The record over HTTP: found by what is asked, held against its neighbours, within the key."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from services import protocols
from services.audit import chained
from services.clock import now_us
from services.models import audit, audit_heads
from tests.integration.http.conftest import YAML, House, event

PATH = "/v1/audit"


def entries(house: House, query: str = "", role: str = "admin") -> list[dict[str, Any]]:
    found: Any = house.door(role).get(f"{PATH}?limit=1000{query}")
    assert found.status_code == 200
    items: list[dict[str, Any]] = found.json["items"]
    return items


@pytest.fixture
def busy(house: House) -> House:
    """A house whose trial had an alert that somebody acknowledged, and a subscription."""
    data = {"ae": "AE-1", "grade": 4, "serious": True, "causality": "related", "status": "valid"}
    house.publish(event(1, "adverse_event", data))
    house.evaluate()
    door: Any = house.door("clinician")
    alert = door.get("/v1/alerts").json["items"][0]["id"]
    door.post(f"/v1/alerts/{alert}/acknowledge", json={"note": "seen at the bedside"})
    door.post(
        "/v1/trials/msc-cgvhd/suspend", json={"reason": "the words of a person, about a subject"}
    )
    wish = {"name": "n", "channel": {"kind": "webhook", "url": "https://8.8.8.8/"}}
    door.post("/v1/subscriptions", json=wish)
    return house


def test_what_was_done_is_found_by_actor_action_object_and_time(busy: House) -> None:
    every = entries(busy)
    assert all(one["verified"] for one in every)
    assert [one["at"] for one in every] == sorted((one["at"] for one in every), reverse=True)
    (seen,) = entries(busy, "&action=alert.acknowledge")
    assert (seen["actor"], seen["trial"]) == ("the-investigator", "msc-cgvhd")
    assert seen in entries(busy, f"&object={seen['object']}")
    assert {one["chain"] for one in entries(busy, "&chain=admin")} == {"admin"}
    assert entries(busy, "&actor=the-investigator")
    assert entries(busy, "&actor=nobody") == entries(busy, "&since=2100-01-01T00:00:00Z") == []


def test_a_list_goes_on_where_it_ended(busy: House) -> None:
    every, paged, cursor = entries(busy), [], ""
    while True:
        page: Any = busy.door("admin").get(f"{PATH}?limit=2{cursor}").json
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == every


def test_ops_see_who_did_what_and_no_persons_words(busy: House) -> None:
    assert "the words of a person" in str(entries(busy))
    shown = entries(busy, role="ops")
    assert {one["action"] for one in shown} == {one["action"] for one in entries(busy)}
    assert all(one["detail"] is None and one["verified"] for one in shown)
    assert "words" not in str(shown)


def test_a_key_of_some_trials_sees_the_chains_of_their_streams_alone(busy: House) -> None:
    protocols.create_trial(busy.services.database, "other", "live", YAML, "test", now_us())
    door: Any = busy.key("ops", trials=("msc-cgvhd",))
    shown = door.get(PATH).json["items"]
    assert {one["trial"] for one in shown} == {"msc-cgvhd"}
    assert door.get(f"{PATH}?chain=admin").json["items"] == []
    stranger: Any = busy.key("ops", trials=("other",))
    assert stranger.get(PATH).json["items"] == []


@pytest.mark.parametrize("column", ["actor", "action", "object", "detail", "at_us", "hash"])
def test_an_entry_that_was_changed_is_shown_as_not_verified(busy: House, column: str) -> None:
    forged: dict[str, Any] = {column: "{}" if column == "detail" else "x"}
    if column == "at_us":
        forged = {column: 1}
    with busy.services.database.writing() as conn:
        conn.execute(update(audit).where(audit.c.action == "trial.created").values(forged))
    changed = [one for one in entries(busy) if not one["verified"]]
    assert changed
    assert all(one["chain"] == "admin" for one in changed)


def test_what_stands_beside_a_missing_entry_is_not_verified(busy: House) -> None:
    with busy.services.database.writing() as conn:
        conn.execute(delete(audit).where(audit.c.chain == "admin", audit.c.n == 2))
    wrong = {one["n"] for one in entries(busy, "&chain=admin") if not one["verified"]}
    assert wrong == {1, 3}


def test_an_end_that_was_cut_off_is_seen_at_the_last_entry_left(busy: House) -> None:
    last = max(one["n"] for one in entries(busy, "&chain=admin"))
    with busy.services.database.writing() as conn:
        conn.execute(delete(audit).where(audit.c.chain == "admin", audit.c.n == last))
    wrong = {one["n"] for one in entries(busy, "&chain=admin") if not one["verified"]}
    assert wrong == {last - 1}
    with busy.services.database.writing() as conn:
        conn.execute(delete(audit_heads).where(audit_heads.c.chain == "admin"))
    assert not any(one["verified"] for one in entries(busy, "&chain=admin"))


def test_a_last_entry_that_was_forged_with_its_hash_is_not_the_one_that_the_head_knows(
    busy: House,
) -> None:
    last, before = entries(busy, "&chain=admin")[:2]
    at = (audit.c.chain == "admin", audit.c.n == last["n"])
    with busy.services.database.writing() as conn:
        row = conn.execute(select(audit).where(*at)).one()._asdict() | {"actor": "somebody else"}
        forged = chained(before["hash"], row)
        conn.execute(update(audit).where(*at).values(actor=row["actor"], hash=forged))
    wrong = {one["n"] for one in entries(busy, "&chain=admin") if not one["verified"]}
    assert wrong == {last["n"]}


def test_a_cursor_or_a_question_that_is_none_is_refused(house: House) -> None:
    door = house.door("admin")
    for query in ("cursor=x", "since=yesterday", "who=me", "limit=0"):
        assert door.get(f"{PATH}?{query}").status_code == 422, query
