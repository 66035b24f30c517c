# make run   the whole pipeline, once, on this machine      DATA=folder SEED=42 RECIPE=tiny FORCE=1 (make all anew)
# make up    Airflow with its page                          PORT=8080
# make test  every test                                     TESTS=tests WORKERS=2
# make lint  ruff, mypy, codespell
# make bench      every measurement of docs/performance.md on this machine's CPU, half an hour
# make bench-gpu  the same of Gemma-2-2B's architecture, on a GPU
# make lock  resolve the pinned versions again (needs uv)
# make images  the containers' images (needs docker)        BASE_TRAINER= BASE_AIRFLOW= BUILD_ARGS="--network host"
#                                                           PIP_CONF=file CA_BUNDLE=file DOCKER=docker
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RECIPE ?= tiny
SEED ?= 42
PORT ?= 8080
TESTS ?= tests
WORKERS ?= 2
DOCKER ?= docker
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run up test lint bench bench-gpu lock wheel images clean

run: $(VENV)/.run
	@$(BIN)/python -m tradewind_airflow.local run --recipe "$(RECIPE)" --seed "$(SEED)" $(if $(DATA),--data "$(DATA)") \
		$(if $(filter-out 0,$(FORCE)),--force)

up: $(VENV)/.run
	@$(BIN)/python -m tradewind_airflow.local up --port "$(PORT)"

test: $(VENV)/.test
	$(BIN)/python -m pytest $(TESTS) --numprocesses $(WORKERS) --no-loadscope-reorder

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

bench: $(VENV)/.run
	@$(BIN)/python benchmarks/trainers/install_llama_factory.py
	@$(BIN)/python benchmarks/levers.py --model tiny
	@for question in finetune generate distributed score prepare orchestrate serve; do \
		$(BIN)/python benchmarks/$$question.py || exit; \
	done
	@$(BIN)/python benchmarks/page.py

bench-gpu: $(VENV)/.run
	@$(BIN)/python benchmarks/setting/need_gpu.py
	@for question in finetune levers generate; do \
		$(BIN)/python benchmarks/$$question.py --model gemma-2-2b || exit; \
	done
	@$(BIN)/python benchmarks/page.py

wheel: $(VENV)/.test
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# Passed only where named: the engine refuses a secret without a file, and the Dockerfile has bases of its own.
COMMA := ,
SECRETS = $(if $(PIP_CONF),--secret "id=pip-conf$(COMMA)src=$(PIP_CONF)") \
	$(if $(CA_BUNDLE),--secret "id=ca-bundle$(COMMA)src=$(CA_BUNDLE)")
BASES = $(if $(BASE_TRAINER),--build-arg "BASE_TRAINER=$(BASE_TRAINER)") \
	$(if $(BASE_AIRFLOW),--build-arg "BASE_AIRFLOW=$(BASE_AIRFLOW)")

images:
	@command -v $(firstword $(DOCKER)) >/dev/null || \
		{ echo "tradewind: $(DOCKER): not found; install Docker or name it with DOCKER=..." >&2; exit 2; }
	@$(DOCKER) version >/dev/null 2>&1 || \
		{ echo "tradewind: $(DOCKER): reaches no engine; start it, or ask for the right to use it" >&2; exit 2; }
	@for file in "$(PIP_CONF)" "$(CA_BUNDLE)"; do \
		[ -z "$$file" ] || [ -r "$$file" ] || \
			{ echo "tradewind: $$file: cannot be read; check PIP_CONF, CA_BUNDLE" >&2; exit 2; }; \
	done
	@version=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml); \
	commit=$$(git rev-parse --short HEAD 2>/dev/null || echo unknown); \
	[ -z "$$(git status --porcelain 2>/dev/null)" ] || commit=$$commit-dirty; \
	for image in trainer airflow; do \
		DOCKER_BUILDKIT=1 $(DOCKER) build --target $$image $(BASES) $(SECRETS) $(BUILD_ARGS) \
			--build-arg VERSION=$$version --build-arg COMMIT=$$commit \
			--tag tradewind-$$image:$$version --tag tradewind-$$image:latest . || exit; \
	done; \
	echo "built tradewind-trainer and tradewind-airflow, $$version ($$commit)"

clean:
	rm -rf $(VENV) .tradewind dist

# A stamp is as new as the last complete installation, so a second call installs nothing.
$(VENV)/.run: requirements.txt pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "tradewind: Python 3.11 not found; name a Python 3.11 with PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tradewind: $(PYTHON): older than Python 3.11; name another with PYTHON=..." >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (some minutes the first time) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@$(PIP_INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.txt
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# torch's CUDA packages are left out: where a package index offers a CPU build of torch, pip takes it and
# needs none of them; elsewhere pip resolves them from torch's own metadata.
CUDA := $(addprefix --no-emit-package ,cuda-bindings cuda-pathfinder cuda-toolkit triton nvidia-cublas \
	nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile \
	nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink \
	nvidia-nvshmem-cu13 nvidia-nvtx)
COMPILE := uv pip compile pyproject.toml --python-version 3.11 --no-header --quiet

lock:
	$(COMPILE) $(addprefix --extra ,airflow production kubernetes train serve) $(CUDA) --output-file requirements.txt
	uv pip compile --group dev --constraint requirements.txt --python-version 3.11 --no-header --quiet \
		--output-file requirements-dev.txt
