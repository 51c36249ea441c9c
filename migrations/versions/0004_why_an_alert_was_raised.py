"""Why an alert was raised: its rule's condition with the value of each clause.

Revision 0004 after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alerts from before keep none."""
    op.add_column("alerts", sa.Column("explanation", sa.Text(), nullable=True))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("alerts", "explanation")
