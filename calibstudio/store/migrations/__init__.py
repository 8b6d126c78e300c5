"""Steps from one schema of the library to the next, for Alembic; run by `library_db` alone."""
