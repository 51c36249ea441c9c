"""The versions that each subject stands under, and a consent that it owes.

Revision 0003 after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until it is evaluated again, a subject stands under the version that judged it last."""
    for name in ("pinned_version", "criteria_version", "reconsent"):
        op.add_column("streams", sa.Column(name, sa.Text(), nullable=True))
    op.execute(
        "UPDATE streams SET pinned_version = protocol_version, criteria_version = protocol_version"
        " WHERE subject <> '*'"
    )
