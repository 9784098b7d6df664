"""A reader who polls while publications come and go sees one or the other in every answer, and no error."""

from __future__ import annotations

import threading

import psycopg

from tests.small import arrivals, departures, put, run, tree
from warehouse.connection import reader_url
from warehouse.profile import Profile
from warehouse.publication import decide, roll_back, status

# two views in one statement: both must be of the same publication
QUESTION = (
    "select max(arrivals_persons) filter (where year = 2020), max(departures_persons) filter (where year = 2020),"
    " (select count(*) from bi.dim_release) from bi.migration_balance"
)


class Poller(threading.Thread):
    """Asks the same question until it is told to stop; keeps the answers and what went wrong."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.done = url, threading.Event()
        self.answers: list[tuple[object, ...]] = []
        self.errors: list[str] = []

    def run(self) -> None:
        """Polls."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            # a reader who thinks between two questions, as all but a benchmark do
            while not self.done.wait(0.02):
                try:
                    self.answers += connection.execute(QUESTION).fetchall()
                except psycopg.Error as error:
                    self.errors.append(str(error))


def test_a_polling_reader_sees_one_publication_or_the_other_in_every_answer(settled: Profile) -> None:
    pollers = [Poller(reader_url(settled)) for _ in range(3)]
    for poller in pollers:
        poller.start()
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    put(settled, "external_departures", tree(departures() | {2020: 1461}), "2026-03-01")
    run(settled)
    first, second = status(settled)["kept"]
    for _ in range(5):
        roll_back(settled, first[1], "a test", "to and fro")
        roll_back(settled, second[1], "a test", "to and fro")
    decide(settled, "unpin", "a test", "enough")
    for poller in pollers:
        poller.done.set()
        poller.join()
        assert not poller.errors
        # 4 dates of population and 2 flows; the second publication has a further release of each flow
        assert set(poller.answers) == {(1020, 1460, 6), (1021, 1461, 8)}
