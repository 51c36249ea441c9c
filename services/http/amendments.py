"""Amendments: what a version changes, its backtest, and the subjects who must consent again.

Who comes in: admins make backtests; clinicians read what they found. Who goes out:
services/backtests, services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from services import backtests as step
from services.clock import now_us
from services.http.context import actor, caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.amendments import (
    Against,
    Backtest,
    BacktestPage,
    BacktestResult,
    Differences,
    OwedPage,
)
from services.http.schemas.fields import PageQuery
from services.reading import amendments

blueprint = Blueprint("amendments", __name__, description="Amendments, backtests, re-consent")
BASE = "/v1/trials/<name:trial>"


@blueprint.route(f"{BASE}/protocols/<name:version>/diff")
@blueprint.arguments(Against, location="query")
@blueprint.answers(200, Differences, 404, 422)
def diff(query: dict[str, Any], trial: str, version: str) -> Response:
    """What a version changes of another, and what each change is about."""
    with parts().database.reading() as conn:
        return reply(amendments.diff(conn, trial, version, query.get("against")))


@blueprint.route(f"{BASE}/protocols/<name:version>/backtest", methods=["POST"])
@blueprint.answers(202, Backtest, 404)
def backtest(trial: str, version: str) -> Response:
    """Compare every decision and alert with those that this version would have made."""
    services = parts()
    made = step.make(services.database, trial, version, actor(caller()), now_us())
    services.broker.ring_maintenance([made.id])
    here = {"Location": f"/v1/trials/{trial}/backtests/{made.id}"}
    return reply(amendments.backtest_shape(made), 202, here)


@blueprint.route(f"{BASE}/backtests")
@blueprint.answers(200, BacktestPage, 404)
def backtests(trial: str) -> Response:
    """The trial's backtests, the latest first."""
    with parts().database.reading() as conn:
        return reply(amendments.backtests(conn, trial))


@blueprint.route(f"{BASE}/backtests/<name:backtest>")
@blueprint.answers(200, BacktestResult, 404)
def one_backtest(trial: str, backtest: str) -> Response:
    """How far a backtest is, and what it found."""
    with parts().database.reading() as conn:
        return reply(amendments.backtest(conn, trial, backtest))


@blueprint.route(f"{BASE}/reconsent")
@blueprint.arguments(PageQuery, location="query")
@blueprint.answers(200, OwedPage, 404, 422)
def reconsent(query: dict[str, Any], trial: str) -> Response:
    """The subjects who must consent to a major amendment, since when, and until when."""
    with parts().database.reading() as conn:
        found = amendments.reconsent(conn, trial, query.get("cursor"), query["limit"], now_us())
    return reply(found)
