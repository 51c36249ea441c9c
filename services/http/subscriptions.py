"""Subscriptions: who wants which alerts, where.

Who comes in: clinicians, ops (content minimal only) and admins. Who goes out:
services/subscriptions, which checks what the channel needs and what the key may have.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from services import subscriptions as step
from services.bootstrap import reach
from services.clock import SECOND_US, now_us
from services.http import auth
from services.http.context import actor, caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.subscriptions import (
    DeliveriesQuery,
    Delivery,
    DeliveryPage,
    Preview,
    PreviewQuery,
    PreviewWish,
    Replay,
    Subscription,
    SubscriptionChange,
    SubscriptionNew,
    SubscriptionPage,
    SubscriptionReplayed,
    SubscriptionTested,
)
from services.matching import Wish
from services.reading import subscriptions as reading
from services.reading.pages import everything

blueprint = Blueprint("subscriptions", __name__, description="Who is told, and how")
BASE = "/v1/subscriptions"
ONE = f"{BASE}/<id:subscription>"
WEEK_US = 7 * 24 * 3600 * SECOND_US


@blueprint.route(BASE)
@blueprint.answers(200, SubscriptionPage)
def listed() -> Response:
    """The subscriptions that the key may see."""
    return reply(everything(step.every(parts().database, _owner())))


@blueprint.route(BASE, methods=["POST"])
@blueprint.arguments(SubscriptionNew)
@blueprint.answers(201, Subscription, 400, 413, 415, 422)
def create(body: dict[str, Any]) -> Response:
    """A new subscription; a webhook's secret is shown in this answer and never again."""
    services = parts()
    made = step.create(services.database, body, _owner(), reach(services.settings), now_us())
    return reply(made, 201, {"Location": f"{BASE}/{made['id']}"})


@blueprint.route(ONE)
@blueprint.answers(200, Subscription, 404)
def one(subscription: str) -> Response:
    """One subscription, without its secret."""
    return reply(step.get(parts().database, subscription, _owner()))


@blueprint.route(ONE, methods=["PATCH"])
@blueprint.arguments(SubscriptionChange)
@blueprint.answers(200, Subscription, 400, 404, 413, 415, 422)
def change(body: dict[str, Any], subscription: str) -> Response:
    """Change what is named; the rest stays."""
    services = parts()
    within = reach(services.settings)
    return reply(step.change(services.database, subscription, body, _owner(), within, now_us()))


@blueprint.route(ONE, methods=["DELETE"])
@blueprint.answers(204, None, 404)
def remove(subscription: str) -> Response:
    """Nobody is told any more; what was sent stays on record."""
    step.delete(parts().database, subscription, _owner(), now_us())
    return Response(status=204)


@blueprint.route(f"{ONE}/test", methods=["POST"])
@blueprint.answers(200, SubscriptionTested, 404)
def test(subscription: str) -> Response:
    """Send one request of type subscription.test now and say how it went; it takes no position."""
    services = parts()
    return reply(step.test(services.database, services.channels, subscription, _owner(), now_us()))


@blueprint.route(f"{ONE}/rotate-secret", methods=["POST"])
@blueprint.answers(200, Subscription, 404, 409)
def rotate_secret(subscription: str) -> Response:
    """A new secret, shown in this answer and never again; the old one signs too for 24 hours."""
    return reply(step.rotate(parts().database, subscription, _owner(), now_us()))


@blueprint.route(f"{ONE}/deliveries")
@blueprint.arguments(DeliveriesQuery, location="query")
@blueprint.answers(200, DeliveryPage, 404, 422)
def deliveries(query: dict[str, Any], subscription: str) -> Response:
    """What was sent and is to be sent, with every attempt; the newest first."""
    database = parts().database
    step.get(database, subscription, _owner())
    with database.reading() as conn:
        return reply(
            reading.sent(
                conn, subscription, query.get("status"), query.get("cursor"), query["limit"]
            )
        )


@blueprint.route(f"{ONE}/deliveries/<id:delivery>/retry", methods=["POST"])
@blueprint.answers(200, Delivery, 404)
def retry(subscription: str, delivery: str) -> Response:
    """Send one delivery again, now; the schedule begins anew, its open dead letter is closed."""
    services = parts()
    step.retry(services.database, services.broker, subscription, delivery, _owner(), now_us())
    with services.database.reading() as conn:
        return reply(reading.one(conn, delivery))


@blueprint.route(f"{ONE}/replay", methods=["POST"])
@blueprint.arguments(Replay)
@blueprint.answers(200, SubscriptionReplayed, 400, 404, 413, 415, 422)
def replay(body: dict[str, Any], subscription: str) -> Response:
    """Send again what came after a position or since a time: same ids, positions and bodies."""
    services, since = parts(), body["since"]
    return reply(
        step.replay(services.database, services.broker, subscription, since, _owner(), now_us())
    )


@blueprint.route(f"{ONE}/preview")
@blueprint.arguments(PreviewQuery, location="query")
@blueprint.answers(200, Preview, 404, 422)
def preview_one(query: dict[str, Any], subscription: str) -> Response:
    """What this subscription, as it is now, would have been sent since then."""
    wish, content = step.wish_of(parts().database, subscription, _owner())
    return _previewed(wish, content, query.get("since"))


@blueprint.route(f"{BASE}/preview", methods=["POST"])
@blueprint.arguments(PreviewWish)
@blueprint.answers(200, Preview, 400, 413, 415, 422)
def preview(body: dict[str, Any]) -> Response:
    """What a subscription of this filter would have been sent; none is made."""
    return _previewed(step.wish_for(body, _owner()), body["content"], body.get("since"))


def _previewed(wish: Wish, content: str, since_us: int | None) -> Response:
    """Counted since then, or for a week; values only where they are asked for and may be shown."""
    at_us = now_us()
    values = content == "full" and auth.sees_values(caller())
    since_us = at_us - WEEK_US if since_us is None else since_us
    with parts().database.reading() as conn:
        return reply(reading.preview(conn, wish, since_us, at_us, values=values))


def _owner() -> step.Owner:
    """On whose behalf."""
    who = caller()
    trials = None if who.trials is None else tuple(sorted(who.trials))
    return step.Owner(role=who.role, trials=trials, by=actor(who))
