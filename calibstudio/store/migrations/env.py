"""Alembic's entry: runs the steps on the connection that `library_db` hands over.

The caller holds the transaction and the lock, so a program that opens the library at the same
moment waits, and a step that fails leaves nothing behind.
"""

from __future__ import annotations

from alembic import context

from calibstudio.store.library_tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
