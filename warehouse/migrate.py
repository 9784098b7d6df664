"""Migrations of the schemas that are not dbt's, by Alembic, and the raw tables that sources declare."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from warehouse import raw_tables, records
from warehouse.connection import LostError, alone_on_the_server, connect, ensure_database, session
from warehouse.profile import Profile
from warehouse.roles import ensure_roles
from warehouse.wording import one_line


def to_head(profile: Profile) -> None:
    """Database, roles and schemas as this code wants them; quick when they already are. Raises `LostError` where the server ends it."""
    with alone_on_the_server():
        ensure_database(profile)
        with connect(profile) as connection:
            ensure_roles(connection)
    config = Config()
    # a percent sign in the path would be read as a variable
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    try:
        with create_engine("postgresql+psycopg://", creator=lambda: session(profile), poolclass=NullPool).begin() as link:
            config.attributes["connection"] = link
            command.upgrade(config, "head")
        if tables := records.declared_tables():
            # before any staging view reads them
            with connect(profile, "koshi_owner") as connection:
                for shape, columns in tables.items():
                    raw_tables.make(connection, shape, columns)
    except OperationalError as error:
        raise LostError(f"the server ended a session ({one_line(str(error.orig))}): what was not committed is undone, run again") from error
