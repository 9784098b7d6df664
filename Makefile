# Koshi. `make help` lists the targets; everything they make lies in .venv and .koshi, which git ignores.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SUPERSET := .koshi/superset
export UV_PYTHON_DOWNLOADS := never
# trust whom the system trusts, as pip does: behind a proxy with an authority of its own uv's list is not enough
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS := true
endif
# bytecode makes every later start 17 seconds faster, whatever the environment says
unexport PYTHONDONTWRITEBYTECODE
ifneq ($(filter 1 yes true,$(LIVE)),)
export KOSHI_PROFILE := live
endif

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test lint unit test-system faults histories fuzz chaos bench export superset test-superset serve report init url dbt-env psql trace record status rollback unpin decide stop clean replay check check-source new-source contracts backup restore lock

# nothing is asked of a network; digests and keys of ours are hexadecimal, and the locks, journals and answers are full of them
SECRETS := --no-verify --disable-plugin HexHighEntropyString --exclude-files '\.lock$$|^tests/journals/|^extractors/bundled/archive/'

# what a person writes goes through the environment as it is: neither make nor a shell reads a quote, a dollar or a blank in it
ASKED := NAME FROM SQL RELATION KEY NUMBER RELEASE KIND PERSON REASON SOURCE DATASET FILE REQUEST CAPTURE RETRIEVED NOTE SEED N FOLDER
$(foreach name,$(ASKED),$(eval override $(name) := $$(value $(name))))
export $(ASKED)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# uv installs 170 packages in seconds and checks every hash; pip brings uv itself, checked as well
$(VENV)/uv-ready: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Koshi needs Python 3.11, 3.12 or 3.13; point at one with PYTHON=..."; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/run-ready: $(VENV)/uv-ready requirements.lock
	@test -e $(VENV)/test-ready || { rm -f $(VENV)/export-ready; VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --quiet --require-hashes requirements.lock requirements-uv.lock; }
	@touch $@

$(VENV)/export-ready: $(VENV)/uv-ready requirements-export.lock
	@test -e $(VENV)/test-ready || VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --quiet --require-hashes requirements-export.lock requirements-uv.lock
	@touch $@ $(VENV)/run-ready

$(VENV)/test-ready: $(VENV)/uv-ready requirements-dev.lock
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --quiet --require-hashes requirements-dev.lock requirements-uv.lock
	@touch $@ $(VENV)/run-ready $(VENV)/export-ready

setup: $(VENV)/run-ready ## install what a run needs, from the lock file
setup-dev: $(VENV)/test-ready ## install what the tests need as well

run: setup ## from the archive to a publication; LIVE=1 asks the agencies
	@$(PY) pipeline.py run

test: setup-dev lint unit ## everything CI runs

lint: setup-dev
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/mypy
	$(VENV)/bin/interrogate --quiet
	$(VENV)/bin/sqlfluff lint --disable-progress-bar --processes 2 dbt
	$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive dags extractors warehouse expectations reporting sample pipeline.py
	git ls-files -z | xargs -0 $(VENV)/bin/detect-secrets-hook $(SECRETS)

unit: setup-dev
	$(PY) -m pytest

test-system: setup-dev ## what needs packages of the system (chromium, drivers), and Airflow's scheduler; says loudly what it did not try
	$(PY) -m pytest -n 0 -m system

# of a size of its own (800 MB) and with versions of its own, so never in .venv
$(SUPERSET)/ready: $(VENV)/uv-ready requirements-superset.lock
	@test -x $(SUPERSET)/bin/python || $(VENV)/bin/uv venv --quiet --python $(PY) $(SUPERSET)
	@VIRTUAL_ENV=$(SUPERSET) $(VENV)/bin/uv pip sync --quiet --require-hashes requirements-superset.lock
	@touch $@

test-superset: setup-dev $(SUPERSET)/ready ## import the bundle into a real Superset: figures and a picture; downloads 250 MB
	KOSHI_SUPERSET=$(SUPERSET) $(PY) -m pytest -n 0 -m superset --timeout=0

faults: setup-dev ## whole live runs against agencies that misbehave
	$(PY) -m pytest -n 0 -m faults -s

report: setup ## write the reports anew and say where they lie
	@$(PY) pipeline.py report

histories: setup-dev ## whole random histories, each with real builds: make histories SEED=1 N=10
	@$(PY) -m tests.histories

fuzz: setup-dev ## so many changed answers of each dataset, other ones each time: make fuzz N=2000
	@KOSHI_FUZZ=$${N:-500} $(PY) -m pytest -n 2 --timeout=0 tests/fuzz/test_parsers.py

export: $(VENV)/export-ready ## write what readers see as files: CSV, XLSX, Parquet, SDMX, DuckDB
	@$(PY) pipeline.py export

superset: setup ## write what Superset imports: datasets, metrics that know what adds up, a dashboard
	@$(PY) pipeline.py superset

serve: $(VENV)/export-ready ## show the site in three languages, the reports and Airflow on loopback until Ctrl-C
	@$(PY) pipeline.py serve

init: ## write an ignored .env with fresh secrets for docker compose
	@$(PYTHON) -m warehouse.env_file

url: setup ## print the libpq URL for the read-only BI role
	@$(PY) pipeline.py url

dbt-env: setup ## print the environment of plain dbt, for a schema of your own: eval "$(make -s dbt-env)"
	@$(PY) pipeline.py dbt-env

psql: setup ## ask the warehouse: make psql SQL="select ..."
	@$(PY) pipeline.py psql

trace: setup ## follow a row to the archived cell: make trace RELATION=migration_balance KEY="area_code=KAZ year=2022"
	@$(PY) pipeline.py trace

record: setup ## take in a file: SOURCE= DATASET= FILE= CAPTURE=recorded [REQUEST= RETRIEVED= NOTE=]
	@$(PY) pipeline.py record

status: setup ## say what runs and what readers see
	@$(PY) pipeline.py status

rollback: setup ## point readers at a kept publication: make rollback NUMBER=1 PERSON="..." REASON="..."
	@$(PY) pipeline.py rollback

unpin: setup ## let the next run publish again: make unpin PERSON="..." REASON="..."
	@$(PY) pipeline.py unpin

decide: setup ## accept, hold or withdraw a release: make decide KIND=withdraw RELEASE=... PERSON="..." REASON="..."
	@$(PY) pipeline.py decide

replay: setup ## make the warehouse from archive and journal
	@$(PY) pipeline.py replay

check: setup ## verify archive, journal, ledger and rows against each other
	@$(PY) pipeline.py check

check-source: setup ## name every place that does not know a dataset: make check-source SOURCE=...
	@$(PY) pipeline.py check-source

new-source: setup ## propose a source from an answer: make new-source NAME=... FROM=answer [DATASET=...]
	@$(PY) pipeline.py new-source

contracts: setup ## write the staging views that source.yml declares, after a change of a block `staging`
	@$(PY) pipeline.py contracts

backup: setup ## copy archive and journal: make backup FOLDER=...
	@$(PY) pipeline.py backup

restore: setup ## put archive and journal back: make restore FOLDER=..., then make replay
	@$(PY) pipeline.py restore

stop: setup ## stop the embedded server
	@$(PY) pipeline.py stop

clean: setup ## forget the sample's state and database, and say which recorded files with it
	@$(PY) pipeline.py clean

chaos: setup-dev ## random kills of real runs under a reader who never stops: make chaos SEED=1 N=10
	@$(PY) -m tests.chaos

bench: setup-dev ## what landing, a run and a further release cost, as ratios
	@$(PY) -m tests.bench.bench

lock: $(VENV)/uv-ready ## write the lock files anew: hashes, no addresses
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --extra export pyproject.toml -c requirements.lock -o requirements-export.lock
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --extra export --group dev pyproject.toml -c requirements.lock -c requirements-export.lock -o requirements-dev.lock
	echo "uv" | $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header - -o requirements-uv.lock
	printf 'apache-superset==6.1.0\npsycopg2-binary==2.9.*\nrich\ncachetools\nflask-caching<2.4\n' | $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header - -o requirements-superset.lock
