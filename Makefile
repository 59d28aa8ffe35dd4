# Needs Python 3.11 or newer and make; everything else comes from PyPI by the locks in requirements/.
.DEFAULT_GOAL := help
.PHONY: help demo local deploy destroy release freeze test reliability mutation load bench test-crewai setup setup-dev lint types format unit browser e2e openapi schemathesis docs site lock clean

# The first Python on the PATH that is new enough; override with `make PYTHON=…`.
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
RUN := .venv/bin/python
UV_LOCK := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--no-annotate --quiet
LOCKS := bootstrap build local dev emulator crewai crewai-1.8.0 crewai-1.8.1 crewai-1.10.1 crewai-1.14.7 fuzz mutation site

# `make test-crewai CREWAI=1.8.1` for a version other than the newest.
CREWAI :=
RUN_CREWAI := .venv-crewai$(if $(CREWAI),-$(CREWAI))/bin/python
# crewai looks for its own servers otherwise.
export CREWAI_DISABLE_TELEMETRY := true
export CREWAI_TRACING_ENABLED := false
export CREWAI_DISABLE_VERSION_CHECK := true
export OTEL_SDK_DISABLED := true

# Where it is set, as in many containers, each process of the tests and of the local stack would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make demo    the whole way once, unattended: a flow asks, a person answers by mail, the flow goes on'
	@echo 'make local   the local stack in the foreground, until Ctrl-C; its data ends with it'
	@echo 'make deploy  to your AWS account, by the options in flow-hitl.toml; make destroy deletes an evaluation'
	@echo 'make release   wheels, layers, templates, documentation, checksums and a bill of materials into .build/release'
	@echo 'make freeze  keep what later releases must not break, in tests/releases; before make release'
	@echo 'make test    lint, types and all tests, of exhaustive ones a fixed part'
	@echo 'make reliability   the exhaustive tests, whole'
	@echo 'make mutation   change the rules that protect reviews and count what the tests notice; MODULE=tokens for one area'
	@echo 'make bench   every goal of speed and cost, measured beside boto3 and other systems, into docs/performance.md; BENCH=--no-peers for ours alone'
	@echo 'make load    10,000 requests on a local stack while workers die, SES throttles and flows are away; LOAD=500 for fewer'
	@echo 'make test-crewai   the client and the examples on real CrewAI; CREWAI=1.8.1 for another version'
	@echo 'make setup   install what demo and local need (they do it by themselves)'
	@echo 'make openapi write docs/openapi.json anew, after a change of the API'
	@echo 'make site    the documentation as a site, into .build/site'
	@echo 'make docs    write the client reference anew, after a change of its docstrings'
	@echo 'make lint types format unit browser e2e schemathesis lock clean'

demo: setup
	@$(RUN) -m infra.local.demo

local: setup
	@exec $(RUN) -m infra.local

deploy: setup
	@test -e "$${FLOW_HITL_FILE:-flow-hitl.toml}" || .venv/bin/flow-hitl init
	@.venv/bin/flow-hitl deploy

destroy: setup
	@.venv/bin/flow-hitl destroy

release: setup-dev
	@$(PYTHON) -m infra.local.environment site
	@$(RUN) -m infra.release

freeze: setup-dev
	FLOW_HITL_FREEZE=$$($(RUN) -m infra.release version) $(RUN) -m pytest tests/infra/test_releases.py -k test_freeze

# All at once, as the browser and the local stack leave a processor idle again and again; the unit tests, of which there are
# most, take what is left. Each part's output stays together where make can do that, since version 4.
test: setup-dev
	@$(MAKE) --no-print-directory lint
	@echo 'Types, unit, browser and e2e tests run at once, and each says what came of it when it ends …'
	@$(MAKE) --no-print-directory -j3 $(if $(filter output-sync,$(.FEATURES)),--output-sync) e2e types-then-browser unit-aside
	@echo 'All tests passed.'

.PHONY: types-then-browser unit-aside
types-then-browser: types site
	@$(MAKE) --no-print-directory browser BROWSERS=1

unit-aside: setup-dev
	@nice -n 10 $(MAKE) --no-print-directory unit

setup: .venv-python
	@$(PYTHON) -m infra.local.environment local

# After `setup` where both are asked for, as it contains what that installs.
setup-dev: .venv-python
	@$(PYTHON) -m infra.local.environment dev

.PHONY: .venv-python
.venv-python:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed; none is on the PATH.' >&2; exit 1; }

lint: setup-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: setup-dev
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

types: setup-dev
	$(RUN) -m mypy

# An environment of its own, with conftest files of its own: crewai and what the rest needs do not go together.
test-crewai: setup-dev
	@$(PYTHON) -m infra.local.environment crewai $(CREWAI)
	PYTHONPATH=.:client $(RUN_CREWAI) -m pytest --confcutdir=tests/crewai tests/crewai
	$(if $(CREWAI),,$(RUN) -m pytest tests/e2e/test_crewai_flows.py)

unit: setup-dev
	$(RUN) -m pytest -n auto --dist worksteal -m 'not e2e and not browser and not crewai'

# A death at every AWS call, every hostile text in every place, every quoted reply: `make test` runs a part of each. What
# counts its cases comes last, and says how many they were.
reliability: setup-dev
	@echo 'Every case of the exhaustive tests; the fault points alone are some 20 minutes of a processor …'
	FLOW_HITL_EXHAUSTIVE=1 $(RUN) -m pytest -m 'exhaustive and e2e' tests/e2e
	@$(RUN) -m infra.local.chromium
	FLOW_HITL_EXHAUSTIVE=1 $(RUN) -m pytest -n $(BROWSERS) --dist loadfile -m browser tests/browser
	FLOW_HITL_EXHAUSTIVE=1 $(RUN) -m pytest -n auto --dist worksteal -m 'exhaustive and not e2e and not browser'

# `make mutation MODULE=people/access.py` for one area, SAMPLE=1 for a look at one change in ten.
MODULE :=
SAMPLE :=
mutation: setup-dev
	@$(PYTHON) -m infra.local.environment mutation
	@$(RUN) -m infra.local.mutation $(if $(SAMPLE),--sample) $(MODULE)

# LOAD_MINUTES=20: requests are created for so long at most.
load: setup-dev
	@$(RUN) -m tests.load

# Other systems come from PyPI and npm; one that does not is left out. BENCH: options, such as --no-peers.
BENCH :=
bench: setup-dev
	@PYTHONPATH=.:layers/flow_hitl/python:client $(RUN) -m tests.bench $(BENCH)

# Installs Chromium if it may; the screenshots are left in artifacts/screenshots.
BROWSERS := auto
browser: setup-dev
	@$(RUN) -m infra.local.chromium
	$(RUN) -m pytest -n $(BROWSERS) --dist loadfile -m browser tests/browser

e2e: setup-dev
	$(RUN) -m pytest -m e2e tests/e2e

openapi: setup-dev
	$(RUN) -m infra.openapi

# Ten minutes of calls at random; `make e2e` makes a fixed set of them.
schemathesis: setup-dev
	FLOW_HITL_SCHEMATHESIS_SECONDS=600 $(RUN) -m pytest -m e2e tests/e2e/test_schemathesis.py

docs: setup-dev
	$(RUN) client/make_reference.py

# Strict: a link that leads nowhere fails it. It reads nothing from the network.
site: setup
	@$(PYTHON) -m infra.local.environment site
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=.:layers/flow_hitl/python .venv-site/bin/python -m mkdocs build --quiet
	@echo 'Read it: .build/site/index.html'

lock: setup-dev
	cd requirements && for lock in $(LOCKS); do ../$(UV_LOCK) $$lock.in -o $$lock.txt || exit 1; done

clean:
	rm -rf .venv .venv-emulator .venv-crewai* .venv-mutation .venv-site .build .local cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis
