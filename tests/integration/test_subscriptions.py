"""Subscriptions: made, shown without secrets, changed within the key's rights, ended."""

from __future__ import annotations

import base64

import pytest
from sqlalchemy import select

from services import audit, subscriptions
from services.channels.address import Reach
from services.database import Database
from services.errors import Conflict, Forbidden, NotFound, Rejected
from services.models import deliveries
from services.subscriptions import Owner
from tests.integration.test_delivery import Store

ADMIN = Owner("admin", None, "admin")
OPS = Owner("ops", None, "ops")
ONE_TRIAL = Owner("clinician", ("t",), "clinician")
URL = "https://hooks.example.org/vigil"


def wish(**other: object) -> dict:
    return {"name": "n", "channel": {"kind": "webhook", "url": URL}, **other}


def create(db: Database, owner: Owner = ADMIN, **other: object) -> dict:
    return subscriptions.create(db, wish(**other), owner, Reach(), 1)


def test_the_secret_is_shown_once_and_has_256_bits(database: Database) -> None:
    made = create(database)
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    shown = subscriptions.get(database, made["id"], ADMIN)
    assert "secret" not in shown
    assert (shown["status"], shown["content"], shown["events"]) == ("active", "minimal", [])
    assert subscriptions.every(database, ADMIN) == [shown]


def test_a_receivers_headers_are_not_shown_again(database: Database) -> None:
    channel = {"kind": "webhook", "url": URL, "headers": {"X-Token": "hunter2"}}
    made = create(database, channel=channel)
    assert "hunter2" not in str(subscriptions.get(database, made["id"], ADMIN))


@pytest.mark.parametrize(
    ("other", "pointer"),
    [
        pytest.param(
            {"channel": {"kind": "webhook", "url": "http://127.0.0.1/"}},
            "/channel/url",
            id="loopback",
        ),
        pytest.param(
            {"channel": {"kind": "webhook", "url": "ftp://x/"}}, "/channel/url", id="scheme"
        ),
        pytest.param({"channel": {"kind": "webhook"}}, "/channel/url", id="no url"),
        pytest.param({"channel": {"kind": "email", "to": ["a@b"]}}, "/channel/kind", id="email"),
        pytest.param(
            {"channel": {"kind": "webhook", "url": URL, "headers": {"webhook-id": "x"}}},
            "/channel/headers",
            id="one of our headers",
        ),
        pytest.param(
            {"channel": {"kind": "webhook", "url": URL, "headers": {"x": "a\r\nb: c"}}},
            "/channel/headers",
            id="a header with a line end",
        ),
        pytest.param({"events": ["alert.opend"]}, "/events", id="an unknown event"),
        pytest.param({"digest": "PT1H"}, "/digest", id="a digest by webhook"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    database: Database, other: dict, pointer: str
) -> None:
    with pytest.raises(Rejected) as refused:
        create(database, **other)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert subscriptions.every(database, ADMIN) == []


def test_values_go_only_where_those_who_may_see_them_have_said(database: Database) -> None:
    with pytest.raises(Forbidden):
        create(database, OPS, content="full")
    made = create(database, content="full")
    elsewhere = {"channel": {"kind": "webhook", "url": "https://elsewhere.example/"}}
    for change in (elsewhere, {"content": "minimal", **elsewhere}):
        with pytest.raises(Forbidden):
            subscriptions.change(database, made["id"], change, OPS, Reach(), 2)
    minimal = create(database)
    with pytest.raises(Forbidden):
        subscriptions.change(database, minimal["id"], {"content": "full"}, OPS, Reach(), 2)


MAIL = {"kind": "email", "to": ["safety.desk@hospital.example"]}
MAILING = Reach(mail=True)


def test_an_e_mail_has_no_secret_and_stays_an_e_mail(database: Database) -> None:
    made = subscriptions.create(database, wish(channel=MAIL), ADMIN, MAILING, 1)
    assert "secret" not in made
    with pytest.raises(Conflict):
        subscriptions.rotate(database, made["id"], ADMIN, 2)
    with pytest.raises(Rejected) as refused:
        subscriptions.change(database, made["id"], wish(), ADMIN, MAILING, 2)
    assert [problem.pointer for problem in refused.value.problems] == ["/channel/kind"]


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param({"kind": "email"}, id="nobody"),
        pytest.param({"kind": "email", "to": []}, id="an empty list"),
        pytest.param({"kind": "email", "to": ["The Desk <a@b.example>"]}, id="a display name"),
        pytest.param({"kind": "email", "to": ["a@b.example\r\nBcc: c@d.example"]}, id="a line end"),
        pytest.param({"kind": "email", "to": ["a@b.example, c@d.example"]}, id="two in one"),
        pytest.param({"kind": "email", "to": ["a@b.example", "A@B.example"]}, id="one twice"),
        pytest.param({**MAIL, "url": URL}, id="a URL"),
        pytest.param({"kind": "webhook", "url": URL, "to": ["a@b.example"]}, id="to of a webhook"),
    ],
)
def test_recipients_are_plain_addresses_each_once(database: Database, channel: dict) -> None:
    with pytest.raises(Rejected):
        subscriptions.create(database, wish(channel=channel), ADMIN, MAILING, 1)


def test_a_key_of_one_trial_sees_only_what_is_within_it(database: Database) -> None:
    everything, own = create(database), create(database, ONE_TRIAL)
    assert [one["id"] for one in subscriptions.every(database, ONE_TRIAL)] == [own["id"]]
    with pytest.raises(NotFound):
        subscriptions.get(database, everything["id"], ONE_TRIAL)
    with pytest.raises(Forbidden):
        create(database, ONE_TRIAL, filter={"trials": ["other"]})


def test_a_disabled_one_can_be_made_active_again(database: Database) -> None:
    made = create(database)
    for status in ("disabled", "active"):
        wish = {"status": status}
        shown = subscriptions.change(database, made["id"], wish, ADMIN, Reach(), 2)
        assert shown["status"] == status
    assert subscriptions.get(database, made["id"], ADMIN)["channel"]["url"] == URL
    assert audit.verify(database) == []


def test_ending_one_cancels_what_still_waits(database: Database) -> None:
    store = Store(database)
    made = create(database)
    store.alert("a", to=made["id"])
    subscriptions.delete(database, made["id"], ADMIN, 3)
    with database.reading() as conn:
        assert conn.scalars(select(deliveries.c.status)).all() == ["cancelled"]
    with pytest.raises(NotFound):
        subscriptions.get(database, made["id"], ADMIN)
