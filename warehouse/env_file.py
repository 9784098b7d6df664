"""`make init`: an ignored `.env` with fresh secrets for docker-compose.yml. Needs nothing but Python itself."""

from __future__ import annotations

import base64
import secrets
import sys
from pathlib import Path

# of hexadecimal digits alone, so that they may stand in a URL or in quotes as they are
SECRET = (
    "POSTGRES_PASSWORD", "KOSHI_BI_PASSWORD", "AIRFLOW_DB_PASSWORD", "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_SECRET_KEY",
)  # fmt: skip
PLAIN = {"KOSHI_PROFILE": "sample", "POSTGRES_PORT": "5432", "AIRFLOW_PORT": "8080", "REPORTS_PORT": "8090"}
# empty: nobody is told of a task that failed (docs/operations.md, "Airflow")
NOTIFIER = ("KOSHI_NOTIFIER", "KOSHI_NOTIFIER_ARGUMENTS")


def contents() -> str:
    """The file as text: fresh secrets, the profile, and the ports on loopback."""
    lines = [
        "# Secrets of this machine, made by `make init`. Never commit this file.",
        "# KOSHI_PROFILE is sample or live; each has databases and volumes of its own.",
    ]
    lines += [f"{name}={value}" for name, value in PLAIN.items()]
    lines += [f"{name}=" for name in NOTIFIER]
    lines += [f"{name}={secrets.token_hex(32)}" for name in SECRET]
    # Fernet wants 32 bytes in URL-safe base64
    lines.append(f"AIRFLOW_FERNET_KEY={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}")
    return "\n".join(lines) + "\n"


def write(file: Path) -> bool:
    """Writes the file for its owner alone; False if it exists, since the databases already know its passwords."""
    if file.exists():
        return False
    file.touch(mode=0o600)
    file.write_text(contents(), encoding="utf-8")
    return True


if __name__ == "__main__":
    target = Path(__file__).resolve().parent.parent / ".env"
    written = write(target)
    sys.stdout.write(f"{target} {'written' if written else 'is there already, nothing was changed'}\n")
