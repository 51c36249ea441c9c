"""The guard before every endpoint: whose key or session is it, and may that role come in here.

Who comes in: every request, before its view. Who goes out: `g.caller`, or Unauthenticated and
Forbidden. ACCESS is the one table: an endpoint that is not in it is refused to everybody.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, g, request

from services import keys
from services.accounts import sessions
from services.accounts.sessions import Session
from services.bootstrap import Services
from services.clock import now_us
from services.errors import Forbidden, Unauthenticated
from services.http.context import parts
from services.keys import ADMIN, CLINICIAN, OPS, PUBLISHER, Caller

PUBLIC: frozenset[str] = frozenset()
EVERY_ROLE = frozenset({PUBLISHER, CLINICIAN, OPS, ADMIN})
ADMINS = frozenset({ADMIN})
CLINICAL = frozenset({CLINICIAN, ADMIN})
# Sees no clinical values: what these endpoints show an ops key is stripped of them.
WATCHING = frozenset({CLINICIAN, OPS, ADMIN})
OPERATING = frozenset({OPS, ADMIN})
# A clinician publishes overrides and corrections only; intake looks at the types.
PUBLISHING = frozenset({PUBLISHER, CLINICIAN, ADMIN})
READING_BACK = frozenset({PUBLISHER, CLINICIAN, ADMIN})

METRICS = "metrics.scrape"

ACCESS: Mapping[str, frozenset[str]] = {
    "health.healthz": PUBLIC,
    "health.readyz": PUBLIC,
    "docs.openapi": EVERY_ROLE,
    "docs.page": EVERY_ROLE,
    "events.publish": PUBLISHING,
    "events.status": READING_BACK,
    "trials.listed": WATCHING,
    "trials.create": ADMINS,
    "trials.one": WATCHING,
    "trials.advance": ADMINS,
    "trials.suspend": CLINICAL,
    "trials.resume": CLINICAL,
    "trials.stopping": CLINICAL,
    "trials.conduct": CLINICAL,
    "trials.response": CLINICAL,
    "trials.edish": CLINICAL,
    "trials.clocks": CLINICAL,
    "trials.unmapped": WATCHING,
    "protocols.listed": WATCHING,
    "protocols.draft": ADMINS,
    "protocols.one": WATCHING,
    "protocols.activate": ADMINS,
    "amendments.diff": WATCHING,
    "amendments.backtest": ADMINS,
    "amendments.backtests": WATCHING,
    "amendments.one_backtest": CLINICAL,
    "amendments.reconsent": CLINICAL,
    "subjects.listed": CLINICAL,
    "subjects.one": CLINICAL,
    "subjects.timeline": CLINICAL,
    "subjects.eligibility": CLINICAL,
    "subjects.explanation": CLINICAL,
    "subjects.gate": CLINICAL,
    "subjects.worklist": CLINICAL,
    "subjects.trial_worklist": CLINICAL,
    "subjects.laboratory": CLINICAL,
    "subjects.adverse_events": CLINICAL,
    "subjects.response": CLINICAL,
    "alerts.listed": WATCHING,
    "alerts.one": WATCHING,
    "stream.alerts": WATCHING,
    "alerts.acknowledge": CLINICAL,
    "alerts.resolve": CLINICAL,
    "alerts.comment": CLINICAL,
    "subscriptions.listed": WATCHING,
    "subscriptions.create": WATCHING,
    "subscriptions.one": WATCHING,
    "subscriptions.change": WATCHING,
    "subscriptions.remove": WATCHING,
    "subscriptions.test": WATCHING,
    "subscriptions.rotate_secret": WATCHING,
    "subscriptions.deliveries": WATCHING,
    "subscriptions.retry": WATCHING,
    "subscriptions.replay": WATCHING,
    "subscriptions.preview_one": WATCHING,
    "subscriptions.preview": WATCHING,
    METRICS: OPERATING,
    "ops.queues": OPERATING,
    "audit.listed": OPERATING,
    "ops.streams": OPERATING,
    "ops.dead_letters": OPERATING,
    "ops.requeue": OPERATING,
    "ops.discard": OPERATING,
    "bootstrap.static": PUBLIC,
    "web.static": PUBLIC,
    "web.home": PUBLIC,
    "web.sign_in": PUBLIC,
    "web.sign_out": WATCHING,
    "web.session": WATCHING,
    "web.inbox": WATCHING,
    "web.alert": WATCHING,
    "web.card": WATCHING,
    "web.act": CLINICAL,
    "web.trials": WATCHING,
    "web.trial": WATCHING,
    "web.figure": CLINICAL,
    "web.edish": CLINICAL,
    "web.report": CLINICAL,
    "web.suspend": CLINICAL,
    "web.resume": CLINICAL,
    "web.subject": CLINICAL,
    "web.protocol": WATCHING,
    "web.backtest": ADMINS,
    "web.activate": ADMINS,
    "web.found": CLINICAL,
    "web.reconsent": CLINICAL,
    "web.operations": OPERATING,
    "web.requeue": OPERATING,
}


SESSION_COOKIE = "vigil_session"
CSRF_HEADER, CSRF_FIELD = "X-Vigil-CSRF", "csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Asked by the page itself, again and again: nobody need be sitting before it.
UNATTENDED = frozenset({"web.session", "web.inbox", "web.card", "stream.alerts"})

REMEMBERED = "vigil-callers"
# A revoked key or an ended session is refused after so long at the latest; each request would else
# ask the store.
REMEMBER_S = 1.0
MOST_REMEMBERED = 1024


class Remembered:
    """Who the keys of the last second belong to, by their digest; unknown keys are asked anew."""

    def __init__(self, services: Services) -> None:
        """Nobody yet."""
        self._services = services
        self._kept: dict[bytes, tuple[float, Caller]] = {}
        self._sessions: dict[str, tuple[float, Session]] = {}

    def caller(self, token: str) -> Caller:
        """The caller of a key. Raises Unauthenticated."""
        digest = hashlib.sha256(token.encode()).digest()
        until, who = self._kept.get(digest, (0.0, None))
        if who is not None and time.monotonic() < until:
            return who
        services = self._services
        self._kept.pop(digest, None)
        who = keys.authenticate(services.database, token, services.settings.admin_key)
        if len(self._kept) >= MOST_REMEMBERED:
            self._kept = {}
        self._kept[digest] = (time.monotonic() + REMEMBER_S, who)
        return who

    def session(self, cookie: str, *, active: bool) -> Session:
        """The session of a cookie. Raises Unauthenticated."""
        until, found = self._sessions.get(cookie, (0.0, None))
        if found is not None and time.monotonic() < until:
            return found
        services = self._services
        self._sessions.pop(cookie, None)
        found = sessions.recognise(
            services.database, cookie, services.settings.admin_key, now_us(), active=active
        )
        if len(self._sessions) >= MOST_REMEMBERED:
            self._sessions = {}
        self._sessions[cookie] = (time.monotonic() + REMEMBER_S, found)
        return found

    def forget(self, cookie: str) -> None:
        """The session has ended."""
        self._sessions.pop(cookie, None)


def install(app: Flask) -> None:
    """Put the guard before every view of `app`."""
    app.before_request(guard)


def guard() -> None:
    """Let the request through, with `g.caller` set, or raise."""
    if request.endpoint is None:  # 404 and 405 tell nothing and need no key
        return
    allowed = ACCESS.get(request.endpoint)
    if allowed is PUBLIC or _opened(request.endpoint):
        return
    who = g.caller = authenticated()  # known to the log also where it is refused
    if allowed is None or who.role not in allowed:
        raise Forbidden("The key's role does not reach this.")
    trial = (request.view_args or {}).get("trial")
    if trial is not None:
        require_trial(who, trial)


def _opened(endpoint: str) -> bool:
    """Whether the settings let anybody in: a monitor that has no key."""
    return endpoint == METRICS and parts().settings.metrics_open


def authenticated() -> Caller:
    """The caller behind the request's bearer key, or else behind its session cookie."""
    header = request.headers.get("Authorization")
    cookie = request.cookies.get(SESSION_COOKIE)
    remembered: Remembered = current_app.extensions[REMEMBERED]
    if header is None and cookie:
        active = request.endpoint not in UNATTENDED or CSRF_HEADER in request.headers
        session = g.session = remembered.session(cookie, active=active)
        require_own_page(session)
        return session.caller
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("A key is needed: Authorization: Bearer <key>.")
    return remembered.caller(token.strip())


def require_own_page(session: Session) -> None:
    """A browser sends the cookie whoever made it ask: what changes something proves our page."""
    if request.method in SAFE_METHODS:
        return
    proof = request.headers.get(CSRF_HEADER)
    if proof is None and request.mimetype == "application/x-www-form-urlencoded":
        proof = request.form.get(CSRF_FIELD)
    if not hmac.compare_digest((proof or "").encode(), session.csrf.encode()):
        raise Forbidden("This did not come from the page of this session; load it again.")


def visitor() -> Caller | None:
    """Who asks for a public page, if anybody we know; sets `g.caller` as the guard does."""
    try:
        who = authenticated()
    except Unauthenticated:
        return None
    g.caller = who
    return who


def forget(cookie: str) -> None:
    """The session of this cookie has ended."""
    remembered: Remembered = current_app.extensions[REMEMBERED]
    remembered.forget(cookie)


def reaches(who: Caller, trial: str | None) -> bool:
    """Whether the key covers `trial`; a key that names no trials covers all."""
    return who.trials is None or trial in who.trials


def require_trial(who: Caller, trial: str) -> None:
    """Refuse a trial outside the key's, whether or not it exists."""
    if not reaches(who, trial):
        raise Forbidden("The key does not reach this trial.")


def sees_values(who: Caller) -> bool:
    """Whether clinical values may be shown to this caller."""
    return who.role in CLINICAL


def within(who: Caller, wanted: str | None) -> tuple[str, ...] | None:
    """The trials a list may show: None is all. Raises Forbidden for one outside the key's."""
    if wanted is not None:
        require_trial(who, wanted)
        return (wanted,)
    return None if who.trials is None else tuple(sorted(who.trials))


def describe() -> dict[str, Any]:
    """The security scheme of the OpenAPI document."""
    return {"type": "http", "scheme": "bearer", "description": "An API key: vigil keys create."}
