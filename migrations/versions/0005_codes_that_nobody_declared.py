"""Codes that publishers sent and no protocol declares, counted.

Revision 0005 after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is known of refusals from before."""
    op.create_table(
        "unmapped",
        sa.Column("trial", sa.Text(), sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("type", sa.Text(), primary_key=True),
        sa.Column("system", sa.Text(), primary_key=True),
        sa.Column("code", sa.Text(), primary_key=True),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("unmapped")
