"""Alembic's entry: runs the migrations on the connection that `warehouse.migrate` hands over, as the owner."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# two runs at once: the second waits here and then finds nothing to do
connection.execute(text("select pg_advisory_xact_lock(hashtext('koshi migrations'))"))
connection.execute(text("set local role koshi_owner"))
connection.execute(text("create schema if not exists meta"))
context.configure(connection=connection, version_table="schema_version", version_table_schema="meta", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
