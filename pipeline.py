"""The command line behind the Makefile, and the only caller that drives the DAGs in one process."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from extractors.archive import Archive
from extractors.backup import Copied
from extractors.source import ByHand
from reporting import airflow_home
from warehouse import connection as database
from warehouse import migrate, publication, runs, server, steps
from warehouse.attempts import to_decide
from warehouse.keys import hex_key
from warehouse.ledger import UNDECIDED
from warehouse.locks import LockedError, locked
from warehouse.profile import Profile, load
from warehouse.wording import counted, say

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
BROKEN = 1
# Errors of a folder that is not ours, or of a full disk
OF_THE_MACHINE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR)


@app.command()
def run() -> None:
    """Takes in every dataset, builds, judges, publishes, reports.

    Exit 0 published or nothing new, 2 nothing publishable, 1 broken; the last line and run.json in the state folder say it in words.
    """
    from reporting import outcome

    profile, console = _profile(), Console()

    def ended(error: BaseException) -> None:
        if isinstance(error, LockedError):  # run.json is that of the run that holds the lock
            outcome.say_last(console, outcome.broken(error))
        else:
            outcome.end(profile, console, outcome.broken(error), {})

    with _told(console, ended):
        migrate.to_head(profile)
        with locked(profile, f"run {profile.name}"):
            raise typer.Exit(_run(profile, console))


def _run(profile: Profile, console: Console) -> int:
    from reporting import ending, idle_run, outcome, run_log, summary

    outcome.begin(profile)
    identity, _ = runs.begin(profile)
    log_file = profile.state / "logs" / "run.log"
    os.environ[run_log.RUN] = str(identity)
    # Airflow would take ten seconds to call what has nothing to do
    states = {} if idle_run.told(profile, identity) else _drive(profile, console, log_file)
    ended, data = ending.end(profile, console, identity, states)
    summary.where_to_look(console, profile)
    say(console, f"Everything that was printed on the way lies in {log_file}; running again is safe.")
    outcome.end(profile, console, ended, data | {"log": str(log_file)})
    return ended.exit_code


@contextlib.contextmanager
def _told(console: Console, ended: Callable[[BaseException], None] | None = None) -> Iterator[None]:
    """Expected errors are printed as one line, by `ended` where it is given; others show a traceback.

    What a command waits for is printed as well.
    """
    steps.listen(lambda what: say(console, what) if what.startswith(("waiting for", "begun anew")) else None)
    tell = ended or (lambda error: say(console, (str(error), "yellow" if isinstance(error, LockedError) else "red")))
    try:
        yield
        _tell_notes(console)
    except typer.Exit:
        raise
    except (RuntimeError, ValueError) as error:  # our errors are typed below these, and say what to do
        _tell_notes(console)
        tell(error)
        raise typer.Exit(BROKEN) from None
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            if ended:
                ended(error)
            raise
        tell(RuntimeError(f"{error.filename or 'a file'}: {error.strerror}. Mend that, or set KOSHI_STATE, then run again"))
        raise typer.Exit(BROKEN) from None
    except BaseException as error:
        if ended:
            ended(error)
        raise


def _profile(name: str | None = None) -> Profile:
    """The profile that is asked for; an unknown one ends the command in one line."""
    try:
        return load(name)
    except ValueError as error:
        say(Console(stderr=True), (str(error), "red"))
        raise typer.Exit(BROKEN) from None


def _tell_notes(console: Console) -> None:
    """Prints what was repaired on the way, unless the summary of a run has done so."""
    for sentence in steps.notes():
        say(console, ("mended", "yellow"), f"  {sentence}")


def _airflow_environment(profile: Profile) -> None:
    """Airflow in a folder of the profile: no examples, no network, loopback only. Set before the first airflow import."""
    for key, value in airflow_home.settings(profile).items():
        os.environ.setdefault(key, value)
    os.environ.update(airflow_home.records_of_a_run(profile))


def _drive(profile: Profile, console: Console, log_file: Path) -> dict[str, str]:
    """Runs every extraction DAG and then the warehouse DAG to the end; returns the state of each task by name."""
    _airflow_environment(profile)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    states: dict[str, str] = {}
    with console.status("starting Airflow") as status, _output_to(log_file, console):
        steps.listen(status.update)
        for dag_id, tasks in _run_dags():
            states |= {f"{dag_id}.{name}": state for name, state in tasks.items()}
    return states


def _run_dags() -> Iterator[tuple[str, dict[str, str]]]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import upgradedb

    upgradedb()
    bag = DagBag(str(airflow_home.DAGS))
    if bag.import_errors:
        raise RuntimeError(f"a DAG does not import: {bag.import_errors}")
    order = [*sorted(name for name in bag.dags if name.startswith("extract_")), "warehouse"]
    for name in order:
        outcome: Any = airflow_home.without_retries(bag.dags[name]).test(mark_success_pattern=airflow_home.NOT_STARTED)
        yield name, {str(task.task_id): str(task.state) for task in outcome.get_task_instances()}


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

    profile = _profile()
    with _told(Console()):
        migrate.to_head(profile)
        print(site.build(profile))


@app.command()
def export() -> None:
    """Writes the marts that readers see as files, as far as they may be handed on; says where they lie."""
    from reporting.export import missing

    profile = _profile()
    with _told(Console()):
        if why := missing():
            raise ValueError(why)
        from reporting.export.make import export as write

        migrate.to_head(profile)
        print(write(profile))


@app.command()
def superset() -> None:
    """Writes what Superset imports (datasets, metrics, a dashboard), a file a language; says where they lie."""
    from reporting.superset.bundle import make

    profile = _profile()
    with _told(Console()):
        migrate.to_head(profile)
        print(*make(profile), sep="\n")


@app.command()
def serve(port: Annotated[int, typer.Option(help="Of the reports; a free one if 0.")] = 0) -> None:
    """Shows the reports and Airflow on loopback until Ctrl-C."""
    from reporting.serve import serve as show

    profile, console = _profile(), Console()
    with _told(console):
        migrate.to_head(profile)
        show(profile, lambda line: say(console, line), port)


@app.command()
def url() -> None:
    """Prints the libpq URL of the warehouse for the read-only BI role; starts the server if it is down."""
    profile = _profile()
    with _told(Console(stderr=True)):
        migrate.to_head(profile)
        print(database.reader_url(profile))


@app.command("dbt-env")
def dbt_env() -> None:
    """Prints the shell commands that let plain dbt build into a schema of your own: eval "$(make -s dbt-env)"."""
    from warehouse import developer

    with _told(Console(stderr=True)):
        print(developer.make_schema(_profile()))


@app.command()
def gx_env() -> None:
    """Prints what a shell evaluates so that plain Great Expectations opens the stored context; the database's secret is among it."""
    from expectations import data_context

    profile = _profile()
    with _told(Console(stderr=True)):
        migrate.to_head(profile)
        data_context.store(profile)
        for name, value in data_context.environment(profile).items():
            print(f"export {name}={shlex.quote(value)}")


@app.command()
def psql(statement: Annotated[str, typer.Argument(envvar="SQL", help="SQL; without it an interactive session.")] = "") -> None:
    """Asks the warehouse as the read-only BI role, with the psql of the embedded server or the one on PATH."""
    profile = _profile()
    with _told(Console(stderr=True)):
        migrate.to_head(profile)
        mine = server.running()
        program = f"{mine.bin}/psql" if mine and Path(f"{mine.bin}/psql").exists() else shutil.which("psql")
        if not program:
            raise ValueError("no psql found: use any PostgreSQL client with `make -s url`")
        # by the environment: an argument list, and a password in it, can be read by every user of the machine
        reader = database.reader_environment(profile)
    command = [program, *(["-c", statement] if statement else [])]
    raise typer.Exit(subprocess.run(command, env=os.environ | reader, check=False).returncode)


@app.command()
def status() -> None:
    """Says whether the server runs, what readers see, what is kept, and how each declared dataset stands."""
    from reporting import datasets

    profile, console = _profile(), Console()
    with _told(console):
        mine = None if os.environ.get("DATABASE_URL") else server.running()
        if mine is None and not os.environ.get("DATABASE_URL"):
            say(console, "The embedded server is down; `make run` or `make url` starts it.")
            return
        where = f"127.0.0.1:{mine.port}, data in {mine.data}" if mine else "the server of DATABASE_URL"
        say(console, f"Profile {profile.name}, database {database.parameters(profile)['dbname']} on {where}")
        migrate.to_head(profile)
        found = publication.status(profile)
        for number, key, at, is_current in found["kept"]:
            mark = " ← readers see this one" + (f", pinned: {found['pinned']}" if found["pinned"] else "") if is_current else ""
            say(console, f"publication {number} ({hex_key(key)}) of {at:%Y-%m-%d %H:%M:%S} UTC{mark}")
        for why in found["not_rebuildable"]:
            say(console, f"no rollback: {why}")
        datasets.show(console, datasets.lines(profile), with_releases=True)


@app.command()
def trace(
    relation: Annotated[str, typer.Argument(envvar="RELATION", help="A relation of bi.")],
    keys: Annotated[list[str] | None, typer.Argument(envvar="KEY", help="column=value, or the values of its primary key.")] = None,
) -> None:
    """Says where a row's numbers came from: release, answer, URL, time, sha256, position, and what stands there. Exit 1 for no row."""
    from reporting.trace import trace as lines

    profile = _profile()
    with _told(Console(stderr=True)):
        migrate.to_head(profile)
        for line in lines(profile, relation, keys or []):
            print(line)


@app.command("check-source")
def check_source(source: Annotated[str, typer.Argument(envvar="SOURCE", help="The source's code: its folder in extractors.")]) -> None:
    """Names every place that does not know a dataset of the source, and what to write there. Exit 1 if there is any."""
    from expectations import places

    profile, console = _profile(), Console()
    with _told(console):
        migrate.to_head(profile)
        missing = places.of_source(profile, source)
        for place, names in missing.items():
            say(console, (place.file, "bold"), f"  {place.write}", (f"  (for {', '.join(names)})", "dim"))
        if missing:
            say(console, (f"{counted(len(missing), 'place')} to write before {source} can be taken in", "red"))
            raise typer.Exit(BROKEN)
        say(console, f"{source} is known everywhere")


@app.command("new-source")
def new_source(
    name: Annotated[str, typer.Argument(envvar="NAME", help="The source's code: its folder in extractors.")],
    answer: Annotated[Path, typer.Option("--from", envvar="FROM", exists=True, dir_okay=False, help="An answer of the agency.")],
    dataset: Annotated[str, typer.Option(envvar="DATASET", help="The code of what the answer holds.")] = "figures",
) -> None:
    """Proposes a source from one of its answers: source.yml, README and staging view, with FIXME where a person decides."""
    from extractors.proposal import propose
    from extractors.source import load_source
    from warehouse import contracts

    console = Console()
    with _told(console):
        written = propose(name, dataset or "figures", answer.read_bytes())
        load_source(name)
        for file in [*written, *contracts.write()]:
            print(file)
        say(console, f"`make check-source SOURCE={name}` names what a person must decide; docs/add-a-source.md goes on from here")


@app.command("contracts")
def write_contracts() -> None:
    """Writes what dbt needs of the blocks `staging` in source.yml: staging views and dbt/vars.yml."""
    from extractors.source import load_source, source_codes
    from warehouse import contracts

    with _told(Console()):
        for code in source_codes():
            load_source(code)  # says what is wrong with a file before anything is written from it
        for file in contracts.write() or ["everything is as the contracts say"]:
            print(file)


@app.command()
def pools(file: Annotated[Path, typer.Argument(help="Where to write them.")]) -> None:
    """Writes the pools of the declared sources, one slot each, as `airflow pools import` reads them."""
    airflow_home.write_pools(file)


@app.command()
def stop() -> None:
    """Stops the embedded server."""
    with _told(Console()):
        print("stopped" if server.stop() else "the embedded server was not running")


@app.command()
def clean() -> None:
    """Forgets the sample's state and database, and the files recorded in it; never the bundled archive nor anything live."""
    profile = _profile("sample")
    with _told(Console()):
        # a journal without its database, or a database without its journal, can never be used again
        dropped = database.drop_database(profile)
        recorded = Archive(profile.overlay).holdings()
        shutil.rmtree(profile.state, ignore_errors=True)
    print(f"forgotten: {profile.state}" + (f" and database {profile.database}" if dropped else ""))
    for name, deliveries in recorded.items():
        print(f"  with it, recorded by hand and in no other archive: {name}, delivered {', '.join(deliveries)}")


@app.command()
def replay() -> None:
    """Applies every journal entry that the database lacks: after a kill the last one, after a loss all of them."""
    profile, console = _profile(), Console()
    from extractors.replay import catch_up

    with _told(console):
        migrate.to_head(profile)
        with locked(profile, f"run {profile.name}"), console.status("replaying") as shown:
            replayed = catch_up(profile, lambda entry: shown.update(f"entry {entry.sequence}: {entry.kind}"))
    say(console, f"{counted(replayed.entries, 'journal entry')} applied")
    for line in (*(f"rows not at hand: {why}" for why in replayed.not_at_hand), *(f"not rebuilt: {why}" for why in replayed.not_rebuilt)):
        say(console, line)


@app.command()
def check() -> None:
    """Verifies archive, journal, ledger and rows against each other, a line a finding. Exit 1 if anything is found; nothing is changed."""
    from extractors.verify import check as findings

    profile, console = load(), Console()
    with _told(console):
        migrate.to_head(profile)
        with console.status("checking") as shown:
            found = findings(profile, lambda part: shown.update(f"checking {part}"))
    for line in found:
        say(console, (line, "red"))
    say(console, f"{profile.name}: {counted(len(found), 'finding')} in archive, journal, ledger and rows")
    raise typer.Exit(BROKEN if found else 0)


FOLDER = Annotated[str, typer.Argument(envvar="FOLDER", help="A folder, or any fsspec URL.")]


@app.command()
def backup(folder: FOLDER) -> None:
    """Copies archive and journal into a folder, only what it lacks, and checks the copy. Others may go on meanwhile."""
    from extractors.backup import back_up

    _copied(lambda profile: back_up(profile, folder), f"backed up in {folder}")


@app.command()
def restore(folder: FOLDER) -> None:
    """Puts archive and journal back from a backup; what is there and different is named, and nothing is overwritten."""
    from extractors.backup import restore as put_back

    _copied(lambda profile: put_back(profile, folder), f"restored from {folder}; `make replay` makes the warehouse of it")


def _copied(deed: Callable[[Profile], Copied], done: str) -> None:
    profile, console = load(), Console()
    with _told(console), console.status("copying"):
        copied = deed(profile)
    for line in copied.findings:
        say(console, (line, "red"))
    said = "not all of it was copied" if copied.findings else done
    answers, entries = counted(copied.answers, "answer"), counted(copied.entries, "journal entry")
    say(console, f"{profile.name}: {answers} ({copied.new_answers:,} new), {entries} ({copied.new_entries:,} new): {said}")
    raise typer.Exit(BROKEN if copied.findings else 0)


@app.command()
def record(
    source: Annotated[str, typer.Argument(envvar="SOURCE", help="The source's code: its folder in extractors.")],
    dataset: Annotated[str, typer.Argument(envvar="DATASET", help="As in source.yml.")],
    files: Annotated[list[Path], typer.Argument(envvar="FILE", help="What the agency answered; several for one delivery.")],
    capture: Annotated[ByHand, typer.Option(envvar="CAPTURE", help="The agency's own, made from figures, or from print.")],
    request: Annotated[
        list[str] | None, typer.Option(envvar="REQUEST", help="Question a FILE answers: year, edition, number or address.")
    ] = None,
    retrieved: Annotated[str, typer.Option(envvar="RETRIEVED", help="When; else when each FILE was last changed.")] = "",
    note: Annotated[str, typer.Option(envvar="NOTE", help="What the files are; of a transcription the documents.")] = "",
) -> None:
    """Archives files as the answers of a dataset and takes them in. Exit 0 accepted or nothing new, 2 not accepted."""
    from expectations.gate1 import judge
    from extractors.record import record as keep
    from extractors.replay import catch_up

    profile = _profile()
    with _told(Console()):
        migrate.to_head(profile)
        with locked(profile, f"run {profile.name}"):
            catch_up(profile)
            with locked(profile, f"dataset {source}.{dataset}"):
                snapshots, deliveries = keep(profile, source, dataset, files, request or [], capture, retrieved, note)
                judged = [(landed, judge(profile, source, dataset)) for landed in deliveries]
    verdicts = [verdict for _, each in judged for verdict in each]
    for snapshot in snapshots:
        print(f"archived in {profile.overlay or profile.archive}: {snapshot.manifest}")
    for verdict in verdicts:
        said = verdict.said or "the next run publishes it"
        print(f"{verdict.state}: {source}.{dataset}, slice {verdict.slice}, edition {verdict.edition}, {verdict.rows} rows: {said}")
    if not verdicts:
        print("nothing new: " + ("these bytes were taken in before" if judged[-1][0].known else "the rows are those that are there"))
    for verdict in verdicts:
        if verdict.state == UNDECIDED:
            print(to_decide(profile, verdict.release_key))
    raise typer.Exit(0 if all(verdict.state == "accepted" for verdict in verdicts) else 2)


# the variables are what `make rollback NUMBER=1 …` hands over: no shell reads what a person writes
PERSON = Annotated[str, typer.Option(envvar="PERSON", help="Who decides; goes into the ledger.")]
REASON = Annotated[str, typer.Option(envvar="REASON", help="Why; goes into the ledger.")]
NUMBER = Annotated[int, typer.Argument(envvar="NUMBER", help="Of a kept publication; `make status` lists them.")]
KIND = Annotated[str, typer.Argument(envvar="KIND", help="accept, hold or withdraw.")]
RELEASE = Annotated[str, typer.Argument(envvar="RELEASE", help="The 16 hexadecimal digits of a release.")]


@app.command()
def rollback(number: NUMBER, person: PERSON, reason: REASON) -> None:
    """Points readers at a kept publication and pins it until it is unpinned."""
    from extractors.caught_up import caught_up

    profile = _profile()
    with _told(Console()):
        kept = {row[0]: row[1] for row in publication.status(profile)["kept"]}
        if number not in kept:
            raise ValueError(f"publication {number} is not kept; kept are {sorted(kept)}")
        caught_up(profile, lambda: publication.roll_back(profile, kept[number], person, reason))
    print(f"readers see publication {number}, pinned until `make unpin`")


@app.command()
def unpin(person: PERSON, reason: REASON) -> None:
    """Lets the next run publish again."""
    from extractors.caught_up import caught_up

    profile = _profile()
    with _told(Console()):
        caught_up(profile, lambda: publication.decide(profile, "unpin", person, reason))
    print("unpinned; the next run publishes what is accepted")


@app.command()
def decide(kind: KIND, release: RELEASE, person: PERSON, reason: REASON) -> None:
    """Records a decision on a release (16 hexadecimal digits): accept, hold or withdraw. The next run acts on it."""
    from extractors.caught_up import caught_up

    profile = _profile()
    with _told(Console()):
        if kind not in ("accept", "hold", "withdraw"):
            raise ValueError(f"unknown decision {kind!r}: expected accept, hold or withdraw")
        key = int.from_bytes(bytes.fromhex(release), "big", signed=True)
        caught_up(profile, lambda: publication.decide(profile, kind, person, reason, key))
    print(f"recorded: {kind} {release}; the next run acts on it")


if __name__ == "__main__":
    app()
