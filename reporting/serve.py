"""`make serve`: the reports and Airflow on loopback, until Ctrl-C."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

import psycopg

from reporting import airflow_home, gallery, site
from reporting.pages import FRAMING
from warehouse import readers
from warehouse.profile import Profile
from warehouse.wording import one_line

LOOPBACK = "127.0.0.1"
STARTING_SECONDS = 120
STOPPING_SECONDS = 20
MIGRATE = ("db", "migrate")
# The scheduler's own log server would listen on all interfaces, and here the interface reads the files themselves.
# No triggerer: no task of ours waits in it. The interface comes last: it is the one that is waited for.
SERVICES = (("scheduler", "--skip-serve-logs"), ("dag-processor",), ("api-server",))


class ServeError(RuntimeError):
    """Something that was to be shown did not start; the message says where its log is."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
        """Says nothing: what a person looks at is theirs."""

    def end_headers(self) -> None:
        """Lets the browser ask again each time, as the site is written anew, and says what a page may do, as the page does itself."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Content-Security-Policy", f"{site.policy(self.path)}; {FRAMING}")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()


def free_port() -> int:
    """A port that is free on loopback at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def reports(folder: Path, port: int = 0) -> Iterator[str]:
    """Serves the folder on loopback, on `port` or a free one, and gives the address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer((LOOPBACK, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def airflow(profile: Profile, port: int) -> Iterator[str]:
    """Runs Airflow's interface, scheduler and DAG processor, and gives the address once it answers.

    New DAGs are paused, so nothing starts by itself. Raises `ServeError` if it does not answer within two minutes.
    """
    environment = os.environ | airflow_home.service(profile, port)
    log_file = profile.state / "logs" / "airflow.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("w", encoding="utf-8") as log, contextlib.ExitStack() as stack:
        _run(MIGRATE, environment, log, log_file)
        pools = log_file.with_name("pools.json")
        airflow_home.write_pools(pools)
        _run(("pools", "import", str(pools)), environment, log, log_file)
        # each in a session of its own: Ctrl-C reaches them through us alone, and their children can be ended with them
        for command in SERVICES:
            process = subprocess.Popen(_airflow(command), env=environment, stdout=log, stderr=log, start_new_session=True)
            stack.callback(_end, process)
            stack.callback(process.terminate)  # runs before _end, so that all of them stop at the same time
        address = f"http://{LOOPBACK}:{port}/"
        _wait(process, f"{address}api/v2/monitor/health", log_file)
        yield address


def _airflow(command: tuple[str, ...]) -> list[str]:
    return [str(Path(sys.executable).parent / "airflow"), *command]


def _run(command: tuple[str, ...], environment: dict[str, str], log: TextIO, log_file: Path) -> None:
    if subprocess.run(_airflow(command), env=environment, stdout=log, stderr=log, check=False).returncode:
        raise ServeError(f"`airflow {' '.join(command)}` failed; its reason stands at the end of {log_file}")


def _wait(process: subprocess.Popen[bytes], health: str, log_file: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServeError(f"Airflow ended at once with code {process.returncode}; its reason stands at the end of {log_file}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError), urllib.request.urlopen(health, timeout=5):  # noqa: S310 # nosec B310
            return
        time.sleep(0.5)
    raise ServeError(f"Airflow did not answer within {STARTING_SECONDS} s at {health}; see {log_file}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Waits for a process that was asked to stop, and ends what is left of it after a while."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOPPING_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def serve(profile: Profile, say: Callable[[str], None] = print, port: int = 0) -> None:
    """Shows the reports (on `port` or a free one) and Airflow until Ctrl-C or a SIGTERM, and then stops what it started.

    Writes the site anew first, so that it shows what readers see now. Raises `ServeError` if Airflow does not start.
    """
    # set by us: a process started in the background would have Ctrl-C ignored
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _interrupt)
    airflow_port = free_port()
    with contextlib.ExitStack() as stack:
        try:
            say("writing the reports …")
            site.build(profile, f"http://{LOOPBACK}:{airflow_port}/")
            address = stack.enter_context(reports(site.folder(profile), port))
            for language, shown in site.in_languages(profile).items():
                say(f"{shown + ':':<40}{address}{language}/")
            if why := gallery.unwanted():
                say(f"No pages in three languages: {why}")
            say(f"What was published, Data Docs, models:  {address}")
            say("starting Airflow …")
            say(f"Airflow:                                {stack.enter_context(airflow(profile, airflow_port))}")
            say("On loopback only, open to everybody on this machine. Ctrl-C stops both; the database goes on until `make stop`.")
            _look_after_readers(profile, say)
        except KeyboardInterrupt:
            say("stopping …")
    say("stopped")


def _look_after_readers(profile: Profile, say: Callable[[str], None]) -> NoReturn:
    """Ends the sessions of readers that are beyond their bounds, until Ctrl-C."""
    while True:
        time.sleep(readers.EVERY)
        try:
            for ended in readers.look_after(profile):
                say(ended)
        except (RuntimeError, psycopg.Error) as error:  # a server that restarts is looked at the next time
            say(f"readers were not looked after: {one_line(str(error))}")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
