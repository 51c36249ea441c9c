"""Backtests of protocol versions, worked off in parts.

Revision 0006 after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables; nothing that exists is touched."""
    op.create_table(
        "backtests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trial", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["trial"], ["trials.id"], name=op.f("fk_backtests_trial")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtests")),
    )
    op.create_index("ix_backtests_trial_created_us", "backtests", ["trial", "created_us"])
    op.create_table(
        "backtest_parts",
        sa.Column("backtest", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("streams", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_until_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["backtest"], ["backtests.id"], name=op.f("fk_backtest_parts_backtest")
        ),
        sa.PrimaryKeyConstraint("backtest", "number", name=op.f("pk_backtest_parts")),
    )
    where = sa.text("status = 'waiting'")
    op.create_index(
        "ix_backtest_parts_waiting",
        "backtest_parts",
        ["backtest"],
        sqlite_where=where,
        postgresql_where=where,
    )
