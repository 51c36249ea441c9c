"""The reports that each subject's adverse events ask for, for lists.

Revision 0007 after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Earlier versions knew no clocks; a subject's are told when it is evaluated again."""
    op.add_column("streams", sa.Column("clocks", sa.Text(), nullable=True))
