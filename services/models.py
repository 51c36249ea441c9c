"""The tables: what is stored, nothing of how it is asked for.

Who comes in: repositories and migrations. Who goes out: SQLAlchemy Core tables.
Every instant is an integer of microseconds since 1970 UTC (``_us``): exact, small, and the
same on SQLite and PostgreSQL. JSON is stored as text, written and read by orjson.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")

trials = Table(
    "trials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("mode", Text, nullable=False),  # live | replay
    Column("status", Text, nullable=False),  # open | suspended | closed
    Column("active_version", Text),  # protocol version; null until one is active
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("banner", Text),  # e.g. DEMO
    # Replay trials only: the one clock, and how far the trial stream has folded.
    Column("clock_us", BigInteger, nullable=False, default=0, server_default="0"),
    Column("folded_us", BigInteger, nullable=False, default=0, server_default="0"),
    # The greatest time that somebody advanced the clock to: nothing more is to come up to it.
    Column("advanced_us", BigInteger, nullable=False, default=0, server_default="0"),
    # An enrolment hold: {"since_us", "by", "reason"}; null while open.
    Column("hold", Text),
    # A first person's wish that waits for a second: {"action", "by", "reason", "at_us"}.
    Column("awaiting_second", Text),
)

protocol_versions = Table(
    "protocol_versions",
    metadata,
    Column("trial", Text, ForeignKey("trials.id"), primary_key=True),
    Column("version", Text, primary_key=True),
    Column("status", Text, nullable=False),  # draft | active | retired
    Column("digest", Text, nullable=False),  # sha256 of the YAML text
    Column("yaml", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("effective_from_us", BigInteger),
    Column("approved_by", Text),
)

streams = Table(
    "streams",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("trial", Text, ForeignKey("trials.id"), nullable=False),
    Column("subject", Text, nullable=False),  # '*' is the trial's own stream
    Column("next_n", BigInteger, nullable=False, default=0, server_default="0"),  # last given
    Column("done_n", BigInteger, nullable=False, default=0, server_default="0"),  # last evaluated
    Column("rev", BigInteger, nullable=False, default=0, server_default="0"),
    Column("last_received_us", BigInteger, nullable=False, default=0, server_default="0"),
    Column("reached_us", BigInteger, nullable=False, default=0, server_default="0"),  # of `state`
    Column("next_due_us", BigInteger),  # first instant at which something can change; null: never
    Column("state", LargeBinary),  # rules' bytes; null before the first step
    Column("protocol_version", Text),  # of `state`
    Column("engine_version", Integer),  # of `state`
    # What lists show without opening `state`.
    Column("status", Text),  # enrolment status of the subject
    Column("decision", Text),
    Column("site", Text),  # of the latest enrolment event that names one
    # Of a subject's stream: the versions it stands under, and a consent that it owes
    # ({"version", "since_us", "due_us"}); null where it owes none.
    Column("pinned_version", Text),
    Column("criteria_version", Text),
    Column("reconsent", Text),
    # The reports that its adverse events ask for, soonest first, as JSON; null where none is owed.
    Column("clocks", Text),
    # Poison: attempts at the event done_n + 1, committed before each try.
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    Column("held", Boolean, nullable=False, default=False, server_default="0"),
    # After a failure events up to this number go one at a time, until the culprit is known.
    Column("careful_to", BigInteger, nullable=False, default=0, server_default="0"),
    # Who counted the last attempt may be at it until then; nobody else counts one before.
    Column("claimed_until_us", BigInteger, nullable=False, default=0, server_default="0"),
    Column("discards", Integer, nullable=False, default=0, server_default="0"),  # discarded events
    Column("alert_sequence", BigInteger, nullable=False, default=0, server_default="0"),
    UniqueConstraint("trial", "subject"),
)
# The sweep's two questions, answered without reading clean rows.
Index(
    "ix_streams_dirty",
    streams.c.id,
    sqlite_where=streams.c.next_n > streams.c.done_n,
    postgresql_where=streams.c.next_n > streams.c.done_n,
)
Index("ix_streams_due", streams.c.next_due_us)

events = Table(
    "events",
    metadata,
    Column("stream_id", RowId, ForeignKey("streams.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("event", Text, nullable=False, unique=True),  # server id, a hash of trial, source, id
    Column("trial", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("timeprecision", Text, nullable=False),  # second | day | month | year
    Column("recorded_us", BigInteger),
    Column("received_us", BigInteger, nullable=False),
    Column("stored_us", BigInteger, nullable=False),  # the service's clock, also in a replay trial
    Column("content", Text, nullable=False),  # sha256 of type, subject, time, canonical data
    Column("data", Text, nullable=False),  # canonical JSON
    Column("by_key", Text),  # api_keys.id of the publisher; null: made by the service
)

# Replay trials only: contributions that wait, in no order, for all streams to have reached their
# time; then they are numbered into the trial's stream in order of `at`.
waiting_contributions = Table(
    "waiting_contributions",
    metadata,
    Column("event", Text, primary_key=True),  # the id that it will have in the trial's stream
    Column("trial", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("id", Text, nullable=False),  # stream, n, due instant, rule, unit
    Column("since_us", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_waiting_contributions_trial_at_us", "trial", "at_us"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("stream_id", RowId, ForeignKey("streams.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("due_us", BigInteger, primary_key=True),  # 0: the event n itself; else a due instant
    Column("at_us", BigInteger, nullable=False),
    Column("protocol_version", Text, nullable=False),
    Column("engine_version", Integer, nullable=False),
    Column("decision", Text),
    Column("digest", Text, nullable=False),  # of verdicts, findings and alert changes
    Column("changes", Text, nullable=False),  # JSON list of alert changes, [] mostly
    Column("evaluated_us", BigInteger, nullable=False, index=True),  # how much, how fast, lately
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),  # hash of trial, subject, rule, key
    Column("stream_id", RowId, ForeignKey("streams.id")),
    Column("trial", Text, nullable=False),
    Column("subject", Text),
    Column("rule", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("protocol_version", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("severity_rank", Integer, nullable=False),  # info 0 .. critical 3
    Column("status", Text, nullable=False),  # open | acknowledged | resolved
    Column("still_true", Boolean, nullable=False),
    Column("resolution", Text),  # JSON of the contract or null
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("source_text", Text, nullable=False),
    Column("evidence", Text, nullable=False),  # JSON list
    Column("explanation", Text),  # JSON: the rule's clause tree when it last changed
    Column("occurred_us", BigInteger, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("due_us", BigInteger),
    Column("acknowledged", Text),  # JSON of the contract or null
    Column("assigned_to", Text),
    Column("snoozed_until_us", BigInteger),
    Column("sequence", BigInteger, nullable=False),  # counts within the subject
    Column("changes", Integer, nullable=False, default=0, server_default="0"),  # rows in alert_log
    Index("ix_alerts_trial_subject", "trial", "subject"),
    Index("ix_alerts_status_severity_rank", "status", "severity_rank"),
)

alert_log = Table(
    "alert_log",
    metadata,
    Column("alert", Text, ForeignKey("alerts.id"), primary_key=True),
    Column("change", Integer, primary_key=True),  # 1, 2, ... within the alert
    Column("kind", Text, nullable=False),  # opened updated acknowledged resolved superseded ...
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text),  # a person; null: the service
    Column("note", Text),
    Column("body", Text, nullable=False),  # the alert as JSON of the contract, as it then was
    Column("position", BigInteger, unique=True),  # null until the sequencer numbers it
)
Index(
    "ix_alert_log_unnumbered",
    alert_log.c.at_us,
    sqlite_where=alert_log.c.position.is_(None),
    postgresql_where=alert_log.c.position.is_(None),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("channel", Text, nullable=False),  # JSON of the contract
    Column("filter", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("content", Text, nullable=False),  # minimal | full
    Column("digest", Text),
    Column("secret", Text),  # whsec_...; needed in clear to sign
    # Retired secrets that still sign: JSON list of {"secret", "until_us"}, newest first.
    Column("old_secrets", Text, nullable=False, default="[]", server_default="[]"),
    Column("status", Text, nullable=False),  # active | disabled | deleted
    Column("trials", Text),  # JSON list: the creator key's trials; null: all
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("last_position", BigInteger, nullable=False, default=0, server_default="0"),
    # Since when its receiver takes nothing: null after each delivery that arrived.
    Column("failing_since_us", BigInteger),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),  # also webhook-id: of alert, change, subscription
    Column("subscription", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("alert", Text, nullable=False),
    Column("change", Integer, nullable=False),
    Column("event", Text, nullable=False),  # alert.opened ...
    Column("critical", Boolean, nullable=False),
    # minimal | full, as the subscription was when the change happened: each attempt has one body.
    Column("content", Text, nullable=False, default="minimal", server_default="minimal"),
    Column("status", Text, nullable=False),  # pending | sending | delivered | dead | cancelled
    Column("position", BigInteger),  # within the subscription; null until the sequencer numbers it
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    # Attempts before the schedule last began anew (requeue, retry, replay).
    Column("forgiven", Integer, nullable=False, default=0, server_default="0"),
    Column("created_us", BigInteger, nullable=False),
    Column("next_attempt_us", BigInteger, nullable=False),
    Column("lease_until_us", BigInteger),
    Column("delivered_us", BigInteger),
    UniqueConstraint("alert", "change", "subscription"),
    UniqueConstraint("subscription", "position"),
)
Index(
    "ix_deliveries_unnumbered",
    deliveries.c.subscription,
    sqlite_where=deliveries.c.position.is_(None),
    postgresql_where=deliveries.c.position.is_(None),
)
# The dispatcher's two questions: what is due for whom, and what is under way.
Index(
    "ix_deliveries_sending",
    deliveries.c.subscription,
    sqlite_where=deliveries.c.status == "sending",
    postgresql_where=deliveries.c.status == "sending",
)
Index(
    "ix_deliveries_due",
    deliveries.c.subscription,
    deliveries.c.next_attempt_us,
    sqlite_where=deliveries.c.status.in_(["pending", "sending"]),
    postgresql_where=deliveries.c.status.in_(["pending", "sending"]),
)

# What was given up or called off, for counting.
Index(
    "ix_deliveries_ended",
    deliveries.c.status,
    sqlite_where=deliveries.c.status.in_(["dead", "cancelled"]),
    postgresql_where=deliveries.c.status.in_(["dead", "cancelled"]),
)
# What arrived lately, there and in all.
Index(
    "ix_deliveries_delivered",
    deliveries.c.subscription,
    deliveries.c.delivered_us,
    sqlite_where=deliveries.c.delivered_us.is_not(None),
    postgresql_where=deliveries.c.delivered_us.is_not(None),
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", Text, ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_us", BigInteger, nullable=False),
    Column("finished_us", BigInteger),  # null: the worker died or is still at it
    Column("outcome", Text, nullable=False),  # enum delivery.Outcome; names the reason
    Column("http_status", Integer),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # event | delivery
    Column("trial", Text),
    Column("stream_id", RowId),
    Column("n", BigInteger),
    Column("delivery", Text),
    Column("reason", Text, nullable=False),  # an error's class name; never a value
    Column("status", Text, nullable=False),  # open | requeued | discarded
    Column("created_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("closed_by", Text),
    Column("awaiting_second", Text),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),  # sha256 of the 256-bit key
    Column("role", Text, nullable=False),  # publisher | clinician | ops | admin
    Column("trials", Text),  # JSON list; null: all
    Column("person", Text),
    Column("name", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),  # what a person types at the sign-in
    Column("role", Text, nullable=False),  # clinician | ops | admin
    Column("trials", Text),  # JSON list; null: all
    Column("person", Text, nullable=False),
    Column("password", Text, nullable=False),  # argon2id
    Column("created_us", BigInteger, nullable=False),
    Column("disabled_us", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),  # sha256 of the cookie
    # Who signed in: one of the two; role and trials are read from it at each request.
    Column("account", Text, ForeignKey("accounts.name")),
    Column("api_key", Text),  # api_keys.id, or 'bootstrap:' and a digest of VIGIL_ADMIN_KEY
    Column("csrf", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)

# Tries at the sign-in that did not succeed, by what is guarded: a name or an address.
guesses = Table(
    "guesses",
    metadata,
    Column("guarded", Text, primary_key=True),  # 'name:' or 'address:' and a sha256
    Column("failures", Integer, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("blocked_until_us", BigInteger, nullable=False),
)

# What another version would have decided: frozen at its making, worked off in parts.
backtests = Table(
    "backtests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("trial", Text, ForeignKey("trials.id"), nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),  # of the version's text
    Column("log", Text, nullable=False),  # a hash of how far each stream went
    Column("status", Text, nullable=False),  # running | finished | failed
    Column("total", Integer, nullable=False),  # subjects
    Column("done", Integer, nullable=False, default=0, server_default="0"),
    Column("result", Text),  # JSON, once it is over
    Column("created_us", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("finished_us", BigInteger),
    Index("ix_backtests_trial_created_us", "trial", "created_us"),
)
backtest_parts = Table(
    "backtest_parts",
    metadata,
    Column("backtest", Text, ForeignKey("backtests.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("streams", Text, nullable=False),  # JSON list of [stream id, last n, reached]
    Column("status", Text, nullable=False),  # waiting | done | failed
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    Column("claimed_until_us", BigInteger, nullable=False, default=0, server_default="0"),
    Column("result", Text),  # JSON
)
Index(
    "ix_backtest_parts_waiting",
    backtest_parts.c.backtest,
    sqlite_where=backtest_parts.c.status == "waiting",
    postgresql_where=backtest_parts.c.status == "waiting",
)

audit = Table(
    "audit",
    metadata,
    Column("chain", Text, primary_key=True),  # 'stream:<id>' or 'admin'
    Column("n", BigInteger, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),  # a key's id, 'evaluation', 'sweep', ...
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON, without clinical values
    Column("hash", Text, nullable=False),  # sha256 over the one before and this row
)
Index("ix_audit_at_us", audit.c.at_us)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

# Codes that were refused because the protocol declares none such: what is still to be mapped. No
# subject and no value; what does not look like a code is counted as '?'.
unmapped = Table(
    "unmapped",
    metadata,
    Column("trial", Text, ForeignKey("trials.id"), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("system", Text, primary_key=True),  # '': the protocol's own codes
    Column("code", Text, primary_key=True),
    Column("refusals", BigInteger, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("process", Text, primary_key=True),  # kind:host:pid; canary:queue
    Column("kind", Text, nullable=False),  # evaluate deliver scheduler stream api canary
    Column("seen_us", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),  # JSON: counters, rss
)
