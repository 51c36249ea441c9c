"""How Alembic reaches the store: the connection of services.database.upgrade, in its transaction.

Who comes in: services.database. Who goes out: the revisions in versions/, in order.
"""

from __future__ import annotations

from alembic import context

from services.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's data definition is transactional once the driver's own transactions are off.
    transactional_ddl=True,
    # A revision that changes a table of SQLite copies it.
    render_as_batch=True,
    compare_server_default=True,
)

with context.begin_transaction():
    context.run_migrations()
