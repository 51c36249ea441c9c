"""Who may come in where: contract §8, written down a second time and held against the door."""

import time

import pytest

import api
from services import keys
from services.clock import now_us
from services.http import auth

NOBODY_NEEDED = "public"
EVERYBODY = {"publisher", "clinician", "ops", "admin"}
PUBLISHES = {"publisher", "clinician", "admin"}
CLINICAL = {"clinician", "admin"}
WATCHES = {"clinician", "ops", "admin"}
OPERATES = {"ops", "admin"}
ADMIN = {"admin"}

SUBJECT = "/v1/trials/msc-cgvhd/subjects/S-001"
MATRIX = {
    ("GET", "/healthz"): NOBODY_NEEDED,
    ("GET", "/readyz"): NOBODY_NEEDED,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/docs"): EVERYBODY,
    ("POST", "/v1/events"): PUBLISHES,
    ("GET", "/v1/events/ev_x"): PUBLISHES,
    ("GET", "/v1/trials"): WATCHES,
    ("POST", "/v1/trials"): ADMIN,
    ("GET", "/v1/trials/msc-cgvhd"): WATCHES,
    ("POST", "/v1/trials/msc-cgvhd/advance"): ADMIN,
    ("POST", "/v1/trials/msc-cgvhd/suspend"): CLINICAL,
    ("POST", "/v1/trials/msc-cgvhd/resume"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/stopping"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/conduct"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/response"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/edish"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/clocks"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/unmapped"): WATCHES,
    ("GET", "/v1/trials/msc-cgvhd/protocols"): WATCHES,
    ("POST", "/v1/trials/msc-cgvhd/protocols"): ADMIN,
    ("GET", "/v1/trials/msc-cgvhd/protocols/1.0"): WATCHES,
    ("POST", "/v1/trials/msc-cgvhd/protocols/1.0/activate"): ADMIN,
    ("GET", "/v1/trials/msc-cgvhd/protocols/1.0/diff"): WATCHES,
    ("POST", "/v1/trials/msc-cgvhd/protocols/1.0/backtest"): ADMIN,
    ("GET", "/v1/trials/msc-cgvhd/backtests"): WATCHES,
    ("GET", "/v1/trials/msc-cgvhd/backtests/bt_x"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/reconsent"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/subjects"): CLINICAL,
    ("GET", SUBJECT): CLINICAL,
    ("GET", f"{SUBJECT}/timeline"): CLINICAL,
    ("GET", f"{SUBJECT}/eligibility"): CLINICAL,
    ("GET", f"{SUBJECT}/explanation"): CLINICAL,
    ("GET", f"{SUBJECT}/gate"): CLINICAL,
    ("GET", f"{SUBJECT}/worklist"): CLINICAL,
    ("GET", f"{SUBJECT}/laboratory"): CLINICAL,
    ("GET", f"{SUBJECT}/adverse-events"): CLINICAL,
    ("GET", f"{SUBJECT}/response"): CLINICAL,
    ("GET", "/v1/trials/msc-cgvhd/worklist"): CLINICAL,
    ("GET", "/v1/alerts"): WATCHES,
    ("GET", "/v1/alerts/al_x"): WATCHES,
    ("GET", "/v1/alerts/stream"): WATCHES,
    ("POST", "/v1/alerts/al_x/acknowledge"): CLINICAL,
    ("POST", "/v1/alerts/al_x/resolve"): CLINICAL,
    ("POST", "/v1/alerts/al_x/comment"): CLINICAL,
    ("GET", "/v1/subscriptions"): WATCHES,
    ("POST", "/v1/subscriptions"): WATCHES,
    ("GET", "/v1/subscriptions/su_x"): WATCHES,
    ("PATCH", "/v1/subscriptions/su_x"): WATCHES,
    ("DELETE", "/v1/subscriptions/su_x"): WATCHES,
    ("POST", "/v1/subscriptions/su_x/test"): WATCHES,
    ("POST", "/v1/subscriptions/su_x/rotate-secret"): WATCHES,
    ("GET", "/v1/subscriptions/su_x/deliveries"): WATCHES,
    ("POST", "/v1/subscriptions/su_x/deliveries/dl_x/retry"): WATCHES,
    ("POST", "/v1/subscriptions/su_x/replay"): WATCHES,
    ("GET", "/v1/subscriptions/su_x/preview"): WATCHES,
    ("POST", "/v1/subscriptions/preview"): WATCHES,
    ("GET", "/metrics"): OPERATES,
    ("GET", "/v1/ops/queues"): OPERATES,
    ("GET", "/v1/audit"): OPERATES,
    ("GET", "/v1/ops/streams"): OPERATES,
    ("GET", "/v1/ops/dead-letters"): OPERATES,
    ("POST", "/v1/ops/dead-letters/dd_x/requeue"): OPERATES,
    ("POST", "/v1/ops/dead-letters/dd_x/discard"): OPERATES,
    ("GET", "/"): NOBODY_NEEDED,
    ("POST", "/sign-in"): NOBODY_NEEDED,
    ("GET", "/static/vigil.css"): NOBODY_NEEDED,
    ("GET", "/bootstrap/static/css/bootstrap.min.css"): NOBODY_NEEDED,
    ("POST", "/sign-out"): WATCHES,
    ("GET", "/session"): WATCHES,
    ("GET", "/inbox"): WATCHES,
    ("GET", "/alerts/al_x"): WATCHES,
    ("GET", "/alerts/al_x/card"): WATCHES,
    ("POST", "/alerts/al_x/acknowledge"): CLINICAL,
    ("GET", "/trials"): WATCHES,
    ("GET", "/trials/msc-cgvhd"): WATCHES,
    ("GET", "/trials/msc-cgvhd/stopping/ST-TOX/boundary.svg"): CLINICAL,
    ("GET", "/trials/msc-cgvhd/edish/edish.svg"): CLINICAL,
    ("GET", "/trials/msc-cgvhd/report"): CLINICAL,
    ("POST", "/trials/msc-cgvhd/suspend"): CLINICAL,
    ("POST", "/trials/msc-cgvhd/resume"): CLINICAL,
    ("GET", "/trials/msc-cgvhd/subjects/S-001"): CLINICAL,
    ("GET", "/trials/msc-cgvhd/protocol"): WATCHES,
    ("POST", "/trials/msc-cgvhd/protocol/1.0/backtest"): ADMIN,
    ("POST", "/trials/msc-cgvhd/protocol/1.0/activate"): ADMIN,
    ("GET", "/trials/msc-cgvhd/backtests/bt_x"): CLINICAL,
    ("GET", "/trials/msc-cgvhd/reconsent"): CLINICAL,
    ("GET", "/operations"): OPERATES,
    ("POST", "/operations/dead-letters/dd_x/requeue"): OPERATES,
}


@pytest.fixture
def database_url(sqlite_url):
    """Roles do not depend on the store."""
    return sqlite_url


def status_of(answer):
    """Of an answer that is not read: a file behind it is closed."""
    answer.close()
    return answer.status_code


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_comes_in_where_the_contract_says_and_nowhere_else(house, role):
    door = house.door(role)
    refused = {at for at in MATRIX if status_of(door.call(*at)) == 403}
    assert refused == {
        at for at, roles in MATRIX.items() if role not in roles and roles != NOBODY_NEEDED
    }


def test_without_a_key_only_probes_and_the_sign_in_answer(house):
    nobody = house.door(None)
    for at, roles in MATRIX.items():
        answer = nobody.call(*at)
        sent_away = status_of(answer) in {401, 303}
        assert sent_away == (roles != NOBODY_NEEDED or at == ("POST", "/sign-in")), at
        if answer.status_code == 401:
            assert answer.headers["WWW-Authenticate"]
        elif sent_away:
            assert answer.headers["Location"].partition("?")[0] == "/"
            assert b"msc-cgvhd" not in answer.data.replace(b"%2Ftrials%2Fmsc-cgvhd", b"")


def test_every_endpoint_stands_in_both_tables(house):
    app = house.app
    adapter = app.url_map.bind("localhost")
    seen = {adapter.match(path, method)[0] for method, path in MATRIX}
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == seen == set(auth.ACCESS)


def test_an_endpoint_without_an_entry_is_refused_to_everybody(house):
    house.app = api.create_app(house.services.settings, house.services)  # the others share theirs
    house.app.add_url_rule("/v1/forgotten", "forgotten", lambda: "secret")
    for role in EVERYBODY:
        answer = house.door(role).get("/v1/forgotten")
        assert answer.status_code == 403
        assert b"secret" not in answer.data


@pytest.mark.parametrize(
    "key", ["", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "bearer \xff"]
)
def test_what_is_no_key_is_401(house, key):
    answer = house.app.test_client().get("/v1/trials", headers={"Authorization": key})
    assert answer.status_code == 401


def test_a_revoked_key_is_401_within_a_second(house):
    made, secret = keys.create(house.services.database, role="ops", by="test", now_us=now_us())
    headers = {"Authorization": f"Bearer {secret}"}
    assert house.app.test_client().get("/v1/trials", headers=headers).status_code == 200
    keys.revoke(house.services.database, made.id, by="test", now_us=now_us())
    time.sleep(auth.REMEMBER_S)
    assert house.app.test_client().get("/v1/trials", headers=headers).status_code == 401


def test_a_key_made_a_moment_ago_is_known_at_once(house):
    assert house.key("ops").get("/v1/trials").status_code == 200


def test_a_trial_outside_the_keys_is_403_whether_or_not_it_exists(house):
    narrow = house.key("clinician", "the-second-clinician", ("other",))
    assert narrow.get("/v1/trials/msc-cgvhd").status_code == 403
    assert narrow.get("/v1/trials/nowhere").status_code == 403
    assert narrow.get("/v1/alerts?trial=msc-cgvhd").status_code == 403
    assert narrow.get("/v1/trials/other").status_code == 404
    assert narrow.get("/v1/trials").json["items"] == []


def test_an_unknown_trial_is_404_for_a_key_of_all_trials(house):
    for path in (
        "",
        "/protocols",
        "/subjects",
        "/subjects/S-1",
        "/subjects/S-1/eligibility",
        "/subjects/S-1/explanation",
        "/subjects/S-1/worklist",
        "/subjects/S-1/adverse-events",
        "/subjects/S-1/laboratory",
        "/worklist",
        "/stopping",
        "/conduct",
        "/response",
        "/edish",
        "/subjects/S-1/response",
        "/clocks",
    ):
        assert house.door("clinician").get(f"/v1/trials/nowhere{path}").status_code == 404
