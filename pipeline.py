"""The command line behind the Makefile, and the only caller that drives the DAGs in one process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from extractors.archive import Archive
from extractors.source import ByHand
from reporting import airflow_home
from warehouse import connection as database
from warehouse import migrate, publication, runs, server, steps
from warehouse.keys import hex_key
from warehouse.locks import LockedError, hold
from warehouse.profile import ROOT, Profile, load

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
BROKEN = 1


@app.command()
def run() -> None:
    """Takes in every dataset, builds, judges, publishes, reports. Exit 0 published or nothing new, 2 nothing publishable, 1 broken."""
    profile = load()
    console = Console()
    with _told(console):
        migrate.prepare(profile)
        with hold(profile, f"run {profile.name}"):
            raise typer.Exit(_run(profile, console))


def _run(profile: Profile, console: Console) -> int:
    from reporting import run_log, summary

    identity = runs.begin(profile)
    log_file = profile.state / "logs" / "run.log"
    states = _drive(profile, console, log_file)
    with steps.step("report"):
        data = summary.figures(profile, run_log.LOG)
    broken = [name for name, state in states.items() if state == "failed"]
    runs.end(profile, identity, "broken" if broken else data["outcome"], data)
    summary.show(console, profile, run_log.LOG, data)
    summary.where_to_look(console, profile)
    if broken:
        console.print(f"[bold red]Broken: {', '.join(broken)}. The reason stands at the end of {log_file}; running again is safe.[/]")
        return BROKEN
    return summary.exit_code(run_log.LOG)


@contextlib.contextmanager
def _told(console: Console) -> Iterator[None]:
    """What a person can mend is told in one line; anything else shows where it happened."""
    try:
        yield
    except typer.Exit:
        raise
    except LockedError as error:
        console.print(f"[yellow]{error}[/]", highlight=False)
        raise typer.Exit(BROKEN) from None
    except (RuntimeError, ValueError) as error:  # our errors are typed below these, and say what to do
        console.print(f"[red]{error}[/]", highlight=False)
        raise typer.Exit(BROKEN) from None


def _airflow_environment(profile: Profile) -> None:
    """Airflow in a folder of the profile: no examples, no network, loopback only. Set before the first airflow import."""
    for key, value in airflow_home.settings(profile).items():
        os.environ.setdefault(key, value)


def _drive(profile: Profile, console: Console, log_file: Path) -> dict[str, str]:
    """Runs every extraction DAG and then the warehouse DAG to the end; returns the state of each task by name."""
    _airflow_environment(profile)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    states: dict[str, str] = {}
    with console.status("starting Airflow") as status, _output_to(log_file, console):
        steps.listen(lambda name: status.update(name))
        for dag_id, tasks in _run_dags():
            states |= {f"{dag_id}.{name}": state for name, state in tasks.items()}
    return states


def _run_dags() -> Iterator[tuple[str, dict[str, str]]]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import upgradedb

    upgradedb()
    bag = DagBag(str(ROOT / "dags"))
    if bag.import_errors:
        raise RuntimeError(f"a DAG does not import: {bag.import_errors}")
    order = [*sorted(name for name in bag.dags if name.startswith("extract_")), "warehouse"]
    for name in order:
        outcome: Any = bag.dags[name].test()
        yield name, {_task_name(task): str(task.state) for task in outcome.get_task_instances()}


def _task_name(task: Any) -> str:
    return f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else str(task.task_id)


@contextlib.contextmanager
def _output_to(file: Path, console: Console) -> Iterator[None]:
    """Sends what Airflow, dbt and their children print to the log, while the console goes on printing for the person."""
    with file.open("a", encoding="utf-8") as log, os.fdopen(os.dup(1), "w") as person:
        saved = os.dup(1), os.dup(2)
        console.file = person
        sys.stdout.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            log.write(traceback.format_exc())
            raise
        finally:
            sys.stdout.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            console.file = sys.stdout


@app.command()
def report() -> None:
    """Writes the reports anew: what was published, the Data Docs, the models; says where they lie."""
    from reporting import site

    profile = load()
    with _told(Console()):
        migrate.prepare(profile)
        print(site.build(profile))


@app.command()
def serve(port: Annotated[int, typer.Option(help="Of the reports; a free one if 0.")] = 0) -> None:
    """Shows the reports and Airflow on loopback until Ctrl-C."""
    from reporting.serve import serve as show

    profile, console = load(), Console()
    with _told(console):
        migrate.prepare(profile)
        show(profile, lambda line: console.print(line, highlight=False, soft_wrap=True), port)


@app.command()
def url() -> None:
    """Prints the libpq URL of the warehouse for the read-only BI role; starts the server if it is down."""
    profile = load()
    with _told(Console(stderr=True)):
        migrate.prepare(profile)
        print(database.reader_url(profile))


@app.command()
def psql(statement: Annotated[str, typer.Argument(help="SQL; without it an interactive session.")] = "") -> None:
    """Asks the warehouse as the read-only BI role, with the psql of the embedded server or the one on PATH."""
    profile = load()
    with _told(Console(stderr=True)):
        migrate.prepare(profile)
        mine = server.running()
        program = f"{mine.bin}/psql" if mine and Path(f"{mine.bin}/psql").exists() else shutil.which("psql")
        if not program:
            raise ValueError("no psql found: use any PostgreSQL client with `make -s url`")
        command = [program, database.reader_url(profile), *(["-c", statement] if statement else [])]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command()
def status() -> None:
    """Says whether the server runs, what readers see, what is kept, and the releases by state."""
    profile, console = load(), Console()
    mine = server.running()
    if mine is None and not os.environ.get("DATABASE_URL"):
        console.print("The embedded server is down; `make run` or `make url` starts it.")
        return
    where = f"127.0.0.1:{mine.port}, data in {mine.data}" if mine else "the server of DATABASE_URL"
    console.print(f"Profile {profile.name}, database {database.parameters(profile)['dbname']} on {where}", highlight=False)
    migrate.prepare(profile)
    found = publication.status(profile)
    for number, key, at, is_current in found["kept"]:
        mark = " ← readers see this one" + (f", pinned: {found['pinned']}" if found["pinned"] else "") if is_current else ""
        console.print(f"publication {number} ({hex_key(key)}) of {at:%Y-%m-%d %H:%M:%S} UTC{mark}", highlight=False)
    for source, dataset, state, count in found["releases"]:
        console.print(f"  {source}.{dataset}: {count} {state}", highlight=False)


@app.command()
def stop() -> None:
    """Stops the embedded server."""
    print("stopped" if server.stop() else "the embedded server was not running")


@app.command()
def clean() -> None:
    """Forgets the sample's state and database, and the files recorded in it; never the bundled archive nor anything live."""
    profile = load("sample")
    recorded = Archive(profile.overlay).holdings()
    dropped = False if os.environ.get("DATABASE_URL") else database.drop_database(profile)
    shutil.rmtree(profile.state, ignore_errors=True)
    print(f"forgotten: {profile.state}" + (f" and database {profile.database}" if dropped else ""))
    for name, deliveries in recorded.items():
        print(f"  with it, recorded by hand and in no other archive: {name}, delivered {', '.join(deliveries)}")


@app.command()
def replay() -> None:
    """Applies every journal entry that the database lacks: after a kill the last one, after a loss all of them."""
    profile, console = load(), Console()
    from extractors.replay import catch_up

    with _told(console):
        migrate.prepare(profile)
        with hold(profile, f"run {profile.name}"), console.status("replaying") as shown:
            replayed = catch_up(profile, lambda entry: shown.update(f"entry {entry.sequence}: {entry.kind}"))
    console.print(f"{replayed.entries} journal entries applied")
    for line in (*(f"rows not at hand: {why}" for why in replayed.not_at_hand), *(f"not rebuilt: {why}" for why in replayed.not_rebuilt)):
        console.print(line, highlight=False, soft_wrap=True)


@app.command()
def record(
    source: Annotated[str, typer.Argument(envvar="KOSHI_RECORD_SOURCE", help="As in extractors/: bns, iom, uis, undesa.")],
    dataset: Annotated[str, typer.Argument(envvar="KOSHI_RECORD_DATASET", help="As in source.yml.")],
    files: Annotated[list[Path], typer.Argument(envvar="KOSHI_RECORD_FILE", help="What the agency answered; several for one delivery.")],
    capture: Annotated[ByHand, typer.Option(envvar="KOSHI_RECORD_CAPTURE", help="The agency's own, made from figures, or from print.")],
    request: Annotated[
        list[str] | None, typer.Option(envvar="KOSHI_RECORD_REQUEST", help="Question a FILE answers: year, edition, number or address.")
    ] = None,
    retrieved: Annotated[str, typer.Option(envvar="KOSHI_RECORD_RETRIEVED", help="When; else when each FILE was last changed.")] = "",
    note: Annotated[str, typer.Option(envvar="KOSHI_RECORD_NOTE", help="What the files are; of a transcription the documents.")] = "",
) -> None:
    """Archives files as the answers of a dataset and takes them in. Exit 0 accepted or nothing new, 2 rejected."""
    from expectations.gate1 import judge
    from extractors.record import record as keep
    from extractors.replay import catch_up

    profile = load()
    with _told(Console()):
        migrate.prepare(profile)
        with hold(profile, f"run {profile.name}"):
            catch_up(profile)
            with hold(profile, f"dataset {source}.{dataset}"):
                snapshots, deliveries = keep(profile, source, dataset, files, request or [], capture, retrieved, note)
                judged = [(landed, judge(profile, source, dataset)) for landed in deliveries]
    verdicts = [verdict for _, each in judged for verdict in each]
    for snapshot in snapshots:
        print(f"archived in {profile.overlay or profile.archive}: {snapshot.manifest}")
    for verdict in verdicts:
        said = " | ".join(verdict.reasons) or "the next run publishes it"
        print(f"{verdict.state}: {source}.{dataset}, slice {verdict.slice}, edition {verdict.edition}, {verdict.rows} rows: {said}")
    if not verdicts:
        print("nothing new: " + ("these bytes were taken in before" if judged[-1][0].known else "the rows are those that are there"))
    raise typer.Exit(2 if any(verdict.state == "rejected" for verdict in verdicts) else 0)


PERSON = Annotated[str, typer.Option(help="Who decides; goes into the ledger.")]
REASON = Annotated[str, typer.Option(help="Why; goes into the ledger.")]


@app.command()
def rollback(number: int, person: PERSON, reason: REASON) -> None:
    """Points readers at a kept publication and pins it until it is unpinned."""
    profile = load()
    with _told(Console()):
        kept = {row[0]: row[1] for row in publication.status(profile)["kept"]}
        if number not in kept:
            raise ValueError(f"publication {number} is not kept; kept are {sorted(kept)}")
        publication.roll_back(profile, kept[number], person, reason)
    print(f"readers see publication {number}, pinned until `make unpin`")


@app.command()
def unpin(person: PERSON, reason: REASON) -> None:
    """Lets the next run publish again."""
    with _told(Console()):
        publication.decide(load(), "unpin", person, reason)
    print("unpinned; the next run publishes what is accepted")


@app.command()
def decide(kind: str, release: str, person: PERSON, reason: REASON) -> None:
    """Records a decision on a release (16 hexadecimal digits): accept, hold or withdraw. The next run acts on it."""
    with _told(Console()):
        if kind not in ("accept", "hold", "withdraw"):
            raise ValueError(f"unknown decision {kind!r}: expected accept, hold or withdraw")
        key = int.from_bytes(bytes.fromhex(release), "big", signed=True)
        publication.decide(load(), kind, person, reason, key)
    print(f"recorded: {kind} {release}; the next run acts on it")


if __name__ == "__main__":
    app()
