"""What waits is found by the index that knows it, however many deliveries and events are done."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from services.reading import backlog, endpoints, figures
from services.repositories import deliveries


@pytest.fixture
def database_url(sqlite_url):
    """SQLite alone never counts rows before it chooses: what it says of an empty store holds."""
    return sqlite_url


def plans(database, look):
    """How SQLite would answer each query that `look` asks."""
    asked = []

    def remember(_conn, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", remember)
    try:
        with database.reading() as conn:
            look(conn)
            raw = conn.connection.driver_connection
            return "\n".join(
                row[-1]
                for statement, parameters in asked
                if statement.startswith("SELECT")
                for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )
    finally:
        event.remove(database.engine, "before_cursor_execute", remember)


@pytest.mark.parametrize(
    ("look", "index"),
    [
        (lambda conn: deliveries.due_subscriptions(conn, 5), "ix_deliveries_due"),
        (lambda conn: backlog.waiting(conn, None, 5), "ix_deliveries_due"),
        (lambda conn: endpoints._newest_of_waiting(conn, None), "ix_deliveries_due"),
        (endpoints._newest_delivered, "ix_deliveries_delivered"),
        (lambda conn: backlog.delivered_since(conn, None, 5), "ix_deliveries_delivered"),
        (lambda conn: figures.to_delivery_s(conn, 5), "ix_deliveries_delivered"),
        (figures.deliveries_by_status, "ix_deliveries_ended"),
        (lambda conn: backlog.pending(conn, None, 5), "ix_streams_dirty"),
        (lambda conn: backlog.unnumbered(conn, None), "uq_alert_log_position"),
        (lambda conn: backlog.evaluated_since(conn, None, 5), "ix_decisions_evaluated_us"),
        (lambda conn: figures.to_alert_s(conn, 5), "ix_decisions_evaluated_us"),
        (figures.log_position, "uq_alert_log_position"),
    ],
)
def test_it_is_found_by_its_index(database, look, index):
    plan = plans(database, look).replace("sqlite_autoindex_alert_log_2", "uq_alert_log_position")
    assert index in plan
    assert "SCAN deliveries\n" not in plan + "\n"
