"""A person's own dbt: a role that reads what models are made from, and writes into nothing but the person's schema."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shlex
import sys
from pathlib import Path

from psycopg import sql

from warehouse import migrate
from warehouse.connection import connect, parameters
from warehouse.profile import Profile, state_root
from warehouse.roles import DEVELOPER

# What dbt's sources and Koshi's own schemas are called: a person's schema is none of them
_SOURCES = ("raw", "meta", "quality")
_OWN = re.compile(r"dev(_[a-z0-9_]{1,50})?")


def make_schema(profile: Profile) -> str:
    """Makes role and schema for the person who asks, and returns the shell commands that let plain dbt use them.

    The schema is `dev_<login>`, or what `KOSHI_DBT_SCHEMA` names. The password stands in a file of mode 600 that the shell reads: it is
    printed nowhere and stands in no argument list. Raises `ValueError` for a schema that is not a person's.
    """
    schema = os.environ.get("KOSHI_DBT_SCHEMA") or f"dev_{re.sub('[^a-z0-9_]', '_', getpass.getuser().lower())[:50]}"
    if not _OWN.fullmatch(schema):
        raise ValueError(f"KOSHI_DBT_SCHEMA is {schema!r}: expected dev, or dev_ and small letters, digits and underscores")
    migrate.to_head(profile)
    file = _password_file()
    with connect(profile) as connection:
        role, own = sql.Identifier(DEVELOPER), sql.Identifier(schema)
        password = sql.Literal(file.read_text("utf-8"))
        connection.execute(sql.SQL("alter role {} with login connection limit 20 password {}").format(role, password))
        for name in map(sql.Identifier, _SOURCES):
            connection.execute(sql.SQL("grant usage on schema {} to {}").format(name, role))
            connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(name, role))
        connection.execute(sql.SQL("create schema if not exists {} authorization {}").format(own, role))
    return _commands(profile, schema, file)


def _password_file() -> Path:
    """The file with the role's password, made once for all profiles: the role belongs to the server."""
    file = state_root() / "developer.password"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if file.read_text("utf-8"):
            return file
        descriptor = os.open(file, os.O_WRONLY)  # who made it was killed before the password stood in it
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(secrets.token_hex(16))
    return file


def _commands(profile: Profile, schema: str, password: Path) -> str:
    p = parameters(profile)
    variables = {
        "KOSHI_DB_HOST": p.get("host", ""),
        "KOSHI_DB_PORT": p.get("port", "5432"),
        "KOSHI_DB_USER": DEVELOPER,
        "KOSHI_DB_NAME": p["dbname"],
        "KOSHI_DBT_SCHEMA": schema,
        "PGOPTIONS": p["options"],
        "DBT_TARGET_PATH": str(profile.state / "dbt_dev"),
        "DBT_LOG_PATH": str(profile.state / "dbt_dev" / "logs"),
        "DO_NOT_TRACK": "1",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'export KOSHI_DB_PASSWORD="$(cat {shlex.quote(str(password))})"')
    lines.append(f'export PATH={shlex.quote(str(Path(sys.prefix) / "bin"))}:"$PATH"')
    return "\n".join(lines)
