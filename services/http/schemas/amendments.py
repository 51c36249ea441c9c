"""Differences between versions, backtests, and who must consent again."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.http.schemas.fields import Answer, maybe, name, one_of, page_of, time_out

STATUSES = ["running", "finished", "failed"]


class Against(Schema):
    """Which version to compare with; by default the one that it amends, else the active one."""

    against = name()


class Difference(Answer):
    """One declaration that was added, removed or changed, and what that is about."""

    section = fields.String(required=True)
    id = fields.String(required=True)
    what = one_of(["added", "removed", "changed"], required=True)
    touches = fields.List(fields.String(), required=True)
    keys = fields.List(fields.Dict(), required=True)


class Differences(Answer):
    """What a version changes of another."""

    trial = fields.String(required=True)
    amends = fields.Dict(required=True, allow_none=True)
    changes = fields.List(fields.Nested(Difference), required=True)
    touches = fields.List(fields.String(), required=True)
    warnings = fields.List(fields.String(), required=True)


class Progress(Answer):
    """How many subjects of how many are compared."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)


class Backtest(Answer):
    """A backtest at a glance."""

    id = fields.String(required=True)
    trial = fields.String(required=True)
    version = fields.String(required=True)
    digest = fields.String(required=True)
    status = one_of(STATUSES, required=True)
    progress = fields.Nested(Progress, required=True)
    created_at = time_out(required=True)
    created_by = fields.String(required=True)
    finished_at = maybe(time_out(required=True))


class BacktestResult(Backtest):
    """A backtest with what it found: totals, the subjects that differ, the trial's own alerts."""

    result = fields.Dict(required=True, allow_none=True)


class Owed(Answer):
    """A subject who must consent to a major amendment."""

    subject = fields.String(required=True)
    site = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, allow_none=True)
    pinned_version = fields.String(required=True)
    version = fields.String(required=True)
    since = time_out(required=True)
    due = maybe(time_out(required=True))
    overdue = fields.Boolean(required=True)


BacktestPage = page_of(Backtest, "BacktestPage")


OwedPage = page_of(Owed, "OwedPage")
