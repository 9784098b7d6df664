"""Who is told that a task has failed for good: the notifier of any Airflow provider that the environment names; nobody without one."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException

NOTIFIER = "KOSHI_NOTIFIER"
ARGUMENTS = "KOSHI_NOTIFIER_ARGUMENTS"


class NotifierError(ValueError):
    """The environment names no notifier; the message says which variable is wrong, and never what it holds."""


class RunFailedError(AirflowFailException):
    """A run of a DAG failed because a task of it did, of which somebody was told."""


class OnFailure(BaseNotifier):
    """Hands the failure to the notifier that `KOSHI_NOTIFIER` names, made with the JSON object of `KOSHI_NOTIFIER_ARGUMENTS`.

    The environment is read when a task fails, so that a wrong name keeps no DAG from running. Secrets stand in the Airflow connection
    that the arguments name; neither variable is for them.
    """

    def notify(self, context: Any) -> None:
        """Calls the notifier, which renders its own templates. Raises `NotifierError` where the environment names none that there is."""
        if not isinstance(context.get("exception"), RunFailedError) and (notifier := configured()):
            notifier(context)


def configured() -> BaseNotifier | None:
    """The notifier of the environment, or None without one."""
    name = os.environ.get(NOTIFIER)
    if not name:
        return None
    module, _, attribute = name.rpartition(".")
    try:
        kind = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        kind = None
    if not (isinstance(kind, type) and issubclass(kind, BaseNotifier)):
        raise NotifierError(
            f"{NOTIFIER} names no notifier: expected the path of a class below airflow.sdk.BaseNotifier (docs/operations.md)"
        )
    try:
        arguments = json.loads(os.environ.get(ARGUMENTS) or "{}")
    except json.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise NotifierError(f"{ARGUMENTS} is no JSON object (docs/operations.md)")
    return kind(**arguments)
