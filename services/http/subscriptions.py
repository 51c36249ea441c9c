"""Subscriptions: who wants which alerts, where.

Who comes in: clinicians, ops (content minimal only) and admins. Who goes out:
services/subscriptions, which checks what the channel needs and what the key may have.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from services import subscriptions as step
from services.bootstrap import reach
from services.clock import now_us
from services.http.context import actor, caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.subscriptions import (
    Subscription,
    SubscriptionChange,
    SubscriptionNew,
    SubscriptionPage,
)
from services.reading.pages import everything

blueprint = Blueprint("subscriptions", __name__, description="Who is told, and how")
BASE = "/v1/subscriptions"


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


@blueprint.route(f"{BASE}/<id:subscription>")
@blueprint.answers(200, Subscription, 404)
def one(subscription: str) -> Response:
    """One subscription, without its secret."""
    return reply(step.get(parts().database, subscription, _owner()))


@blueprint.route(f"{BASE}/<id:subscription>", methods=["PATCH"])
@blueprint.arguments(SubscriptionChange)
@blueprint.answers(200, Subscription, 400, 404, 413, 415, 422)
def change(body: dict[str, Any], subscription: str) -> Response:
    """Change what is named; the rest stays."""
    services = parts()
    within = reach(services.settings)
    return reply(step.change(services.database, subscription, body, _owner(), within, now_us()))


@blueprint.route(f"{BASE}/<id:subscription>", methods=["DELETE"])
@blueprint.answers(204, None, 404)
def remove(subscription: str) -> Response:
    """Nobody is told any more; what was sent stays on record."""
    step.delete(parts().database, subscription, _owner(), now_us())
    return Response(status=204)


def _owner() -> step.Owner:
    """On whose behalf."""
    who = caller()
    trials = None if who.trials is None else tuple(sorted(who.trials))
    return step.Owner(role=who.role, trials=trials, by=actor(who))
