"""A subscription that stands: tested, its secret changed, its deliveries seen and sent again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks.webhooks import WebhookVerificationError

from services import audit, delivery, keys, subscriptions
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import now_us
from services.models import audit as record
from services.models import deliveries
from services.models import subscriptions as table
from services.subscriptions import Owner
from tests.integration.http.conftest import House, event
from tests.support.processes import free_port
from tests.support.receiver import Received, Receiver, answer, hang

BASE = "/v1/subscriptions"
DAY_US = 24 * 3600 * 1_000_000
CHANNELS = {"webhook": WebhookChannel(Reach(private=True), timeout_s=30.0)}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def door(house: House, role: str) -> Any:
    """A client with a key of that role."""
    return house.door(role)


@dataclass
class Told:
    """A subscription whose receiver has a trial's alerts."""

    house: House
    receiver: Receiver
    id: str
    secret: str

    @property
    def path(self) -> str:
        return f"{BASE}/{self.id}"

    def post(self, action: str, role: str = "admin", **kwargs: Any) -> Any:
        return door(self.house, role).post(f"{self.path}/{action}", **kwargs)

    def get(self, what: str, role: str = "admin") -> Any:
        return door(self.house, role).get(f"{self.path}/{what}")

    def deliver(self) -> list[Received]:
        """Send what is due; what of it is new to the receiver."""
        before = len(self.receiver.received)
        delivery.deliver(self.house.services.database, CHANNELS)
        return self.receiver.received[before:]

    def raise_alert(self, number: int = 1) -> None:
        data = {"ae": f"AE-{number}", "grade": 4, "serious": True, "causality": "related"}
        self.house.publish(event(number, "adverse_event", {**data, "status": "valid"}))
        self.house.evaluate()


def subscribe(house: House, receiver: Receiver, role: str = "admin", **other: Any) -> Told:
    """Made behind the door's address check: the receiver is on loopback."""
    object.__setattr__(house.services, "channels", CHANNELS)
    wish = {"name": "n", "channel": {"kind": "webhook", "url": receiver.url}, **other}
    owner = Owner(role, None, role)
    database = house.services.database
    made = subscriptions.create(database, wish, owner, Reach(private=True), now_us())
    return Told(house, receiver, made["id"], made["secret"])


@pytest.fixture
def told(house: House, receiver: Receiver) -> Told:
    return subscribe(house, receiver)


def test_a_test_sends_one_signed_request_that_takes_no_position(told: Told) -> None:
    shown = told.post("test")
    assert shown.status_code == 200
    assert shown.json["id"] == told.id
    assert {**shown.json["test"], "took_ms": 0} == {
        "outcome": "delivered",
        "http_status": 200,
        "took_ms": 0,
    }
    (request,) = told.receiver.received
    body = request.verify(told.secret)
    assert (body["type"], body["position"]) == ("subscription.test", 0)
    assert body["data"] == {"subscription": told.id, "name": "n"}
    assert told.get("deliveries").json["items"] == []


def test_a_test_has_the_last_position_and_the_next_alert_the_next(told: Told) -> None:
    told.raise_alert()
    last = told.deliver()[-1].json["position"]
    told.post("test")
    assert told.receiver.received[-1].json["position"] == last
    told.raise_alert(2)
    assert told.deliver()[0].json["position"] == last + 1


def test_a_test_says_what_is_wrong_with_the_receiver(told: Told) -> None:
    told.receiver.plan += [answer(500), answer(410)]
    assert told.post("test").json["test"]["http_status"] == 500
    gone = told.post("test").json
    assert (gone["test"]["outcome"], gone["status"]) == ("gone", "active")


def test_a_disabled_one_is_tested_too_and_two_tests_are_two_messages(told: Told) -> None:
    disabled = door(told.house, "admin").call("PATCH", told.path, json={"status": "disabled"})
    assert (disabled.status_code, disabled.json["status"]) == (200, "disabled")
    assert told.post("test").json["test"]["outcome"] == "delivered"
    told.post("test")
    first, second = told.receiver.received
    assert first.id != second.id


def test_a_test_of_a_place_that_is_private_says_so(house: House) -> None:
    wish = {"name": "n", "channel": {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}/"}}
    database = house.services.database
    made = subscriptions.create(
        database, wish, Owner("admin", None, "admin"), Reach(private=True), now_us()
    )
    shown = door(house, "admin").post(f"{BASE}/{made['id']}/test").json
    assert shown["test"]["outcome"] == "forbidden_address"


def test_tests_that_hang_leave_the_api_its_threads(told: Told, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.subscriptions.acting._tests", _NoRoom())
    refused = told.post("test")
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers


class _NoRoom:
    def acquire(self, *, blocking: bool) -> bool:
        assert not blocking
        return False


def test_a_receiver_that_hangs_ends_a_test_by_its_time(told: Told) -> None:
    hurried = {"webhook": WebhookChannel(Reach(private=True), timeout_s=0.5)}
    object.__setattr__(told.house.services, "channels", hurried)
    told.receiver.plan.append(hang)
    assert told.post("test").json["test"]["outcome"] == "timed_out"


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(told: Told) -> None:
    answered = told.post("rotate-secret")
    assert answered.status_code == 200
    new = answered.json["secret"]
    assert new != told.secret
    assert "secret" not in door(told.house, "admin").get(told.path).json
    told.post("test")
    told.receiver.received[-1].verify(told.secret)
    told.receiver.received[-1].verify(new)


def test_rotating_twice_within_a_day_breaks_nobody(told: Told) -> None:
    secrets = [told.secret, *(told.post("rotate-secret").json["secret"] for _ in range(2))]
    told.raise_alert()
    for request in told.deliver():
        for secret in secrets:
            request.verify(secret)


def test_a_secret_retired_a_day_ago_signs_no_more_and_is_forgotten(told: Told) -> None:
    database, owner = told.house.services.database, Owner("admin", None, "admin")
    subscriptions.rotate(database, told.id, owner, now_us() - DAY_US - 1)
    told.post("test")
    with pytest.raises(WebhookVerificationError):
        told.receiver.received[-1].verify(told.secret)
    told.post("rotate-secret")
    with database.reading() as conn:
        stored = conn.execute(table.select().where(table.c.id == told.id)).one()
    assert told.secret not in stored.old_secrets


def test_a_header_never_holds_more_signatures_than_servers_take(told: Told) -> None:
    for _ in range(20):
        assert told.post("rotate-secret").status_code == 200
    assert told.post("rotate-secret").status_code == 409
    told.post("test")
    assert len(told.receiver.received[-1].headers["webhook-signature"]) < 4000


def test_deliveries_are_listed_with_every_attempt(told: Told) -> None:
    told.receiver.plan.append(answer(500))
    told.raise_alert()
    told.deliver()
    items = told.get("deliveries").json["items"]
    assert [one["position"] for one in items] == sorted(
        (one["position"] for one in items), reverse=True
    )
    failed = next(one for one in items if one["status"] == "pending")
    (attempt,) = failed["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["http_status"]) == (1, "refused", 500)
    assert attempt["took_ms"] >= 0
    assert failed["next_attempt_at"]


def test_a_list_of_deliveries_goes_on_where_it_ended_and_can_be_of_one_status(told: Told) -> None:
    for number in range(1, 4):
        told.raise_alert(number)
    told.deliver()
    every = told.get("deliveries").json["items"]
    assert len(every) >= 3
    paged, cursor = [], ""
    while True:
        page = told.get(f"deliveries?limit=1{cursor}").json
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == every
    assert told.get("deliveries?status=delivered").json["items"] == every
    assert told.get("deliveries?status=dead").json["items"] == []
    assert told.get("deliveries?status=lost").status_code == 422


def test_what_has_no_position_yet_is_listed_first_and_hides_nothing(told: Told) -> None:
    for number in range(1, 4):
        told.raise_alert(number)
    every = [one["id"] for one in told.get("deliveries").json["items"]]
    assert len(every) >= 3
    with told.house.services.database.writing() as conn:
        newest = deliveries.c.id.in_(every[:2])
        conn.execute(update(deliveries).where(newest).values(position=None))
    first = told.get("deliveries?limit=1").json
    assert {one["id"] for one in first["items"]} == set(every[:2])
    rest = told.get(f"deliveries?cursor={first['next']}").json
    assert [one["id"] for one in rest["items"]] == every[2:]


def test_a_retry_sends_the_same_again_at_once(told: Told) -> None:
    told.receiver.plan.append(answer(500))
    told.raise_alert()
    (first, *_) = told.deliver()
    answered = told.post(f"deliveries/{first.id}/retry")
    assert answered.status_code == 200
    assert (answered.json["id"], answered.json["status"]) == (first.id, "pending")
    (again, *_) = told.deliver()
    assert (again.id, again.body) == (first.id, first.body)
    assert len(told.get("deliveries").json["items"][-1]["attempts"]) == 2


def test_a_retry_names_a_delivery_of_this_subscription(told: Told) -> None:
    told.raise_alert()
    other = subscribe(told.house, told.receiver)
    name = told.get("deliveries").json["items"][0]["id"]
    assert other.post(f"deliveries/{name}/retry").status_code == 404
    assert told.post("deliveries/dl_none/retry").status_code == 404


def test_a_replay_sends_the_same_ids_positions_and_bodies(told: Told) -> None:
    for number in range(1, 4):
        told.raise_alert(number)
    before = told.deliver()
    after = before[0].json["position"]
    answered = told.post("replay", json={"since": after})
    assert answered.status_code == 200
    assert answered.json["replayed"] == len(before) - 1
    again = told.deliver()
    assert {(one.id, one.body) for one in again} == {(one.id, one.body) for one in before[1:]}


def test_a_replay_since_a_time_sends_what_was_written_then_or_later(told: Told) -> None:
    told.raise_alert()
    before = told.deliver()
    assert told.post("replay", json={"since": "2100-01-01T00:00:00Z"}).json["replayed"] == 0
    assert told.deliver() == []
    since = {"since": "2020-01-01T09:00:00+09:00"}
    assert told.post("replay", json=since).json["replayed"] == len(before)
    assert {one.id for one in told.deliver()} == {one.id for one in before}


def test_a_replay_since_a_time_tells_what_was_raised_while_nobody_was_told(told: Told) -> None:
    """One 410 disables a subscription: what came meanwhile is not lost to it."""
    told.deliver()
    call = door(told.house, "admin").call
    assert call("PATCH", told.path, json={"status": "disabled"}).status_code == 200
    told.raise_alert(77)
    assert told.deliver() == []
    assert call("PATCH", told.path, json={"status": "active"}).status_code == 200
    assert told.deliver() == []
    before = told.get("deliveries").json["items"]
    since = {"since": "2000-01-01T00:00:00Z"}
    assert told.post("replay", json=since).json["replayed"] > len(before)
    assert told.post("replay", json=since).json["replayed"] > len(before)
    got = told.deliver()
    assert "ae:AE-77" in {request.json["data"]["key"] for request in got}
    positions = sorted(request.json["position"] for request in got)
    assert positions == list(range(1, len(positions) + 1))
    assert len({request.headers["webhook-id"] for request in got}) == len(got)


@pytest.mark.parametrize("since", [-1, True, 1.5, "yesterday", "2020-01-01", None, 2**60])
def test_a_replay_since_what_is_neither_is_refused(told: Told, since: object) -> None:
    refused = told.post("replay", json={"since": since})
    assert refused.status_code == 422
    assert told.post("replay", json={}).status_code == 422


def test_content_made_minimal_is_so_for_what_waits_and_for_what_is_sent_again(
    house: House, receiver: Receiver
) -> None:
    told = subscribe(house, receiver, content="full")
    told.raise_alert()
    assert all("detail" in one.json["data"] for one in told.deliver())
    told.raise_alert(2)
    door(house, "admin").call("PATCH", told.path, json={"content": "minimal"})
    told.post("replay", json={"since": 0})
    sent = told.deliver()
    assert len(sent) > 1
    assert not any("detail" in one.json["data"] for one in sent)
    assert not any("value" in item for one in sent for item in one.json["data"]["evidence"])


def test_what_waited_while_the_content_was_minimal_stays_so(
    house: House, receiver: Receiver
) -> None:
    told = subscribe(house, receiver, content="full")
    told.raise_alert()
    for content in ("minimal", "full"):
        door(house, "admin").call("PATCH", told.path, json={"content": content})
    assert not any("detail" in one.json["data"] for one in told.deliver())
    told.raise_alert(2)
    assert all("detail" in one.json["data"] for one in told.deliver())


def test_what_a_receiver_that_was_gone_missed_waits_until_it_is_active_again(told: Told) -> None:
    told.receiver.plan.append(answer(410))
    told.raise_alert()
    told.deliver()
    assert door(told.house, "admin").get(told.path).json["status"] == "disabled"
    shown = door(told.house, "admin").call("PATCH", told.path, json={"status": "active"})
    assert (shown.status_code, shown.json["status"]) == (200, "active")
    told.post("replay", json={"since": 0})
    assert told.deliver()


ACTIONS = ("test", "rotate-secret", "replay", "deliveries/dl_x/retry")


def test_ops_may_see_a_full_one_and_do_nothing_with_it(house: House, receiver: Receiver) -> None:
    told = subscribe(house, receiver, content="full")
    assert told.get("deliveries", "ops").status_code == 200
    for action in ACTIONS:
        assert told.post(action, "ops", json={"since": 0}).status_code == 403, action
    ops = door(house, "ops")
    assert ops.call("DELETE", told.path).status_code == 403
    assert ops.call("PATCH", told.path, json={"name": "mine"}).status_code == 403
    assert ops.get(told.path).json["name"] == "n"
    assert receiver.received == []


def test_ops_may_do_everything_with_a_minimal_one(told: Told) -> None:
    told.raise_alert()
    told.deliver()
    name = told.get("deliveries").json["items"][0]["id"]
    for action in ("test", "rotate-secret", "replay", f"deliveries/{name}/retry"):
        body = {"since": 0} if action == "replay" else None
        assert told.post(action, "ops", json=body).status_code == 200, action


def test_a_key_of_another_trial_finds_none_of_it(told: Told) -> None:
    stranger = told.house.key("clinician", "the-monitor", ("other",))
    for action in ACTIONS:
        answered = stranger.post(f"{told.path}/{action}", json={"since": 0})
        assert answered.status_code == 404, action
    for what in ("deliveries", "preview"):
        assert stranger.get(f"{told.path}/{what}").status_code == 404


def test_it_stands_when_the_key_that_made_it_is_revoked_and_says_who_made_it(house: House) -> None:
    maker: Any = house.key("clinician", "the-investigator")
    wish = {"name": "n", "channel": {"kind": "webhook", "url": "https://8.8.8.8/"}}
    made = maker.post(BASE, json=wish).json
    for key in keys.every(house.services.database):
        keys.revoke(house.services.database, key.id, by="admin", now_us=now_us())
    shown = door(house, "admin").get(f"{BASE}/{made['id']}").json
    assert (shown["status"], shown["created_by"]) == ("active", "the-investigator")


def test_everything_that_was_done_is_on_record(told: Told) -> None:
    told.raise_alert()
    name = told.get("deliveries").json["items"][0]["id"]
    for action in ("test", "rotate-secret", f"deliveries/{name}/retry"):
        told.post(action)
    told.post("replay", json={"since": 0})
    database = told.house.services.database
    assert audit.verify(database) == []
    with database.reading() as conn:
        done = set(conn.scalars(select(record.c.action)))
    assert done >= {
        "subscription.tested",
        "subscription.secret_rotated",
        "subscription.replayed",
        "delivery.retried",
    }


def test_a_preview_is_what_was_really_sent(told: Told) -> None:
    for number in range(1, 3):
        told.raise_alert(number)
    sent = told.deliver()
    shown = told.get("preview").json
    assert shown["deliveries"] == len(sent)
    assert shown["alerts"] == len({one.json["data"]["id"] for one in sent})
    assert sum(shown["by_category"].values()) == sum(shown["by_severity"].values()) == len(sent)
    assert shown["complete"]
    seen = [(item["event"], item["alert"]["id"]) for item in reversed(shown["items"])]
    assert sorted(seen) == sorted((one.json["type"], one.json["data"]["id"]) for one in sent)


def test_a_preview_of_a_filter_counts_what_fits_and_makes_nothing(told: Told) -> None:
    told.raise_alert()
    admin = door(told.house, "admin")
    before = admin.get(BASE).json
    path = f"{BASE}/preview"
    fits = admin.post(path, json={"filter": {"trials": ["msc-cgvhd"], "subjects": ["S-001"]}}).json
    assert fits["deliveries"] > 0
    unfit: tuple[dict[str, Any], ...] = (
        {"filter": {"subjects": ["S-002"]}},
        {"events": ["alert.superseded"]},
        {"since": "2100-01-01T00:00:00Z"},
    )
    for wish in unfit:
        assert admin.post(path, json=wish).json["deliveries"] == 0, wish
    assert admin.get(BASE).json == before
    assert admin.post(path, json={"events": ["alert.opend"]}).status_code == 422


def test_a_preview_shows_values_only_where_they_are_asked_for_and_may_be_seen(told: Told) -> None:
    told.raise_alert()
    path = f"{BASE}/preview"
    full = door(told.house, "clinician").post(path, json={"content": "full"}).json["items"]
    assert all("detail" in item["alert"] for item in full)
    for role in ("clinician", "ops"):
        items = door(told.house, role).post(path, json={}).json["items"]
        assert items
        assert not any("detail" in item["alert"] for item in items)
    assert door(told.house, "ops").post(path, json={"content": "full"}).status_code == 403


def test_ops_see_no_values_in_the_preview_of_a_full_one(house: House, receiver: Receiver) -> None:
    told = subscribe(house, receiver, content="full")
    told.raise_alert()
    assert all("detail" in item["alert"] for item in told.get("preview").json["items"])
    assert not any("detail" in item["alert"] for item in told.get("preview", "ops").json["items"])


def test_a_preview_stays_within_the_keys_trials(told: Told) -> None:
    told.raise_alert()
    path = f"{BASE}/preview"
    narrow: Any = told.house.key("clinician", "the-monitor", ("other",))
    assert narrow.post(path, json={}).json["deliveries"] == 0
    named = narrow.post(path, json={"filter": {"trials": ["msc-cgvhd"]}})
    assert named.status_code == 403


def test_a_preview_that_cannot_look_at_all_changes_says_so(told: Told, monkeypatch: Any) -> None:
    for number in range(1, 4):
        told.raise_alert(number)
    monkeypatch.setattr("services.changes.MOST_LOOKED_AT", 1)
    shown = told.get("preview").json
    assert (shown["deliveries"], shown["complete"]) == (1, False)


def test_a_channel_stays_of_its_kind_and_what_is_hidden_is_not_taken_for_a_text(told: Told) -> None:
    admin = door(told.house, "admin")
    other = {"channel": {"kind": "email", "to": ["monitor@sponsor.example"]}}
    assert admin.call("PATCH", told.path, json=other).status_code == 422
    hidden = {"kind": "webhook", "url": "https://8.8.8.8/", "headers": {"X-Token": "hidden"}}
    refused = admin.call("PATCH", told.path, json={"channel": hidden})
    assert refused.json["errors"][0]["pointer"] == "/channel/headers"


def test_without_a_mail_server_there_is_no_e_mail_and_the_reason_is_said(house: House) -> None:
    wish = {"name": "n", "channel": {"kind": "email", "to": ["monitor@sponsor.example"]}}
    refused = door(house, "admin").post(BASE, json=wish)
    assert refused.status_code == 422
    assert "mail server" in refused.json["errors"][0]["detail"]
