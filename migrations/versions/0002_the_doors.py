"""Sign-in, retired secrets, and what a delivery's body was frozen as.

Revision 0002 after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add; what is dropped was never written by any released version."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("trials", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("disabled_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("api_key", sa.Text(), nullable=True),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name=op.f("fk_sessions_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_table(
        "guesses",
        sa.Column("guarded", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("guarded", name=op.f("pk_guesses")),
    )
    _delivery_columns()
    _indexes()
    op.add_column(
        "subscriptions",
        sa.Column("old_secrets", sa.Text(), nullable=False, server_default="[]"),
    )
    op.add_column("subscriptions", sa.Column("failing_since_us", sa.BigInteger(), nullable=True))
    op.drop_column("subscriptions", "old_secret")
    op.drop_column("subscriptions", "old_secret_until_us")


def _delivery_columns() -> None:
    """What was not sent yet is sent as its subscription says now."""
    op.add_column(
        "deliveries",
        sa.Column("content", sa.Text(), nullable=False, server_default="minimal"),
    )
    op.add_column(
        "deliveries",
        sa.Column("forgiven", sa.Integer(), nullable=False, server_default="0"),
    )
    op.execute(
        "UPDATE deliveries SET content = (SELECT content FROM subscriptions"
        " WHERE subscriptions.id = deliveries.subscription)"
    )
    waiting = "status IN ('pending', 'sending')"
    _index("ix_deliveries_due", ["subscription", "next_attempt_us"], waiting)
    _index("ix_deliveries_sending", ["subscription"], "status = 'sending'")


def _index(name: str, columns: list[str], which: str) -> None:
    """An index of some deliveries; one of that name from before makes room."""
    op.drop_index(name, table_name="deliveries", if_exists=True)
    where = sa.text(which)
    op.create_index(
        name, "deliveries", columns, unique=False, sqlite_where=where, postgresql_where=where
    )


def _indexes() -> None:
    """For whoever looks how much was done lately."""
    op.create_index(op.f("ix_decisions_evaluated_us"), "decisions", ["evaluated_us"])
    op.create_index(op.f("ix_audit_at_us"), "audit", ["at_us"])
    _index("ix_deliveries_ended", ["status"], "status IN ('dead', 'cancelled')")
    _index("ix_deliveries_delivered", ["subscription", "delivered_us"], "delivered_us IS NOT NULL")
