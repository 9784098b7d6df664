"""The database itself: connection, migrations, roles, ledger, build and publication. Imports nothing of Koshi's above it."""
