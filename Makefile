# Every target sets itself up; setting up does nothing when nothing changed. Without make, `poe` does
# the same by the same names: docs/platforms.md.

PYTHON ?= python3
BIN := .venv/bin
# dvc runs `python` from the PATH: the project's own comes first.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup setup-extras setup-dev mend init repro report export remote track comment verdict plan confirm train-all calibration interactions learning-curve robust tune notebook zoo bench bench-scale study test test-quick test-all check current lock clean clean-work
.DEFAULT_GOAL := help

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# What is more than a command, for both.
TASKS := $(dir $(lastword $(MAKEFILE_LIST)))src/tasks.py

setup: $(BIN)/python  ## make .venv with what the pipeline needs
	@$(BIN)/python $(TASKS) setup

setup-extras: $(BIN)/python  ## … and what export, the notebook, Parquet, trackers, ssh and S3 need
	@$(BIN)/python $(TASKS) setup extras

setup-dev: $(BIN)/python  ## … and what tests and checks need
	@$(BIN)/python $(TASKS) setup dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("error: $(PYTHON) is Python %d.%d; 3.11 or newer is needed (make PYTHON=python3.12 …)" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@rm -rf .venv
	@if command -v uv >/dev/null; then uv venv -q --seed --python "$$(command -v $(PYTHON))" .venv; else $(PYTHON) -m venv .venv; fi

# A killed DVC may leave this file empty; every later one then says only that it cannot read it.
define unlocked
	@python $(TASKS) unlocked
endef

repro: setup  ## run the pipeline: how good each fusion is, from three seeds; make verdict adds which differ
	$(call unlocked)
	@dvc repro
	@python src/show.py table

# A variable of make's command line, which the shell has too; what is in it is never shell text. One
# of the environment that happens to have its name does not count.
given = $(if $(filter command line,$(origin $(1))),$$$(1))
option = $(if $(call given,$(1)),$${$(1):+$(2)="$$$(1)"})

init: setup  ## look at your data and write the params that fit: DATA=zip, folder or table; LAYOUT=… SENSORS=… DRY=1
	@test -n "$(call given,DATA)" || { echo "error: make init DATA=…: must name a zip, a folder or a table"; exit 1; }
	@python src/init.py "$(call given,DATA)" $(call option,LAYOUT,--layout) $(call option,SENSORS,--sensors) $(if $(call given,DRY),$${DRY:+--dry-run})

report: setup  ## write plots/report.html: all that was found as one page that opens without a network
	$(call unlocked)
	@dvc repro report
	@python $(TASKS) size plots/report.html

export: setup-extras  ## write a trained fusion as one file, checked, with a card: FUSION=concat FORMAT=onnx or torch; SEED=0 OUT=folder
	@test -n "$(call given,FUSION)" && test -n "$(call given,FORMAT)" || { echo "error: make export FUSION=… FORMAT=…: must name a fusion that was trained, and onnx or torch"; exit 1; }
	@python src/export.py "$(call given,FUSION)" $(call option,FORMAT,--format) $(call option,SEED,--seed) $(call option,OUT,--output)

track: setup-extras  ## tell a tracker of the results that are here and that it was not told: TRACKER=mlflow AGAIN=1
	@python src/track.py $(call option,TRACKER,--tracker) $(if $(call given,AGAIN),$${AGAIN:+--again})

# ssh and S3 need packages that are extras; a folder needs none. An empty value is handed on, to be
# refused.
remote: $(if $(and $(call given,URL),$(filter s3://% ssh://%,$(value URL))),setup-extras,setup)  ## share results through a folder or server: URL=folder, ssh://user@host/path or s3://bucket/path; NAME=… ENDPOINT=… PROFILE=… LOCAL=1
	@python src/remote.py $(if $(call given,NAME),--name="$$NAME") $(if $(call given,ENDPOINT),--endpoint="$$ENDPOINT") $(if $(call given,PROFILE),--profile="$$PROFILE") $(if $(call given,WAIT),--wait="$$WAIT") $(if $(call given,LOCAL),$${LOCAL:+--local}) $(if $(call given,URL),-- "$$URL")

comment: setup  ## write what your change makes of the results, for a pull request: BASE=main; OUT=file PICTURES=folder or address
	@test -n "$(call given,BASE)" || { echo "error: make comment BASE=…: must name a revision of git, such as main"; exit 1; }
	@python src/comment.py --base="$(call given,BASE)" $(call option,OUT,--output) $(call option,PICTURES,--pictures)

# Both run out of the way, in a folder of its own; the workspace stays as it is.
define experiment
	@python $(TASKS) experiment $(1)
endef

verdict: setup  ## train ten seeds of each fusion: which ones differ, exported to metrics/verdict
	$(call experiment,verdict)
	@dvc exp run --temp --name verdict -S 'train.seeds=[0,1,2,3,4,5,6,7,8,9]'
	@python src/show.py export verdict metrics/verdict
	@python benchmarks/table.py --write

plan: setup  ## how many seeds and test ids would show a difference; DIFFERENCE=5 in points; FROM=folder or revision
	@python src/show.py plan $(or $(FROM),metrics/verdict) $(if $(DIFFERENCE),--difference $(DIFFERENCE))

train-all: setup  ## train all fusions and seeds, several at a time; ENGINE=ray ADDRESS=host:port: on a cluster
	$(call unlocked)
	@dvc repro split check_inputs
	@python src/train_all.py $(if $(ENGINE),--engine $(ENGINE)) $(if $(ADDRESS),--address $(ADDRESS))

calibration: setup  ## simulate how often the statistics err (a quarter of an hour)
	@python studies/calibrate.py

interactions: setup  ## train all fusions on tasks of one sensor and of both (hours; goes on); CELLS="xor match" AGAIN=1
	@python studies/interact.py $(CELLS) $(if $(AGAIN),--again)

learning-curve: setup  ## train all fusions on fewer and more samples (an hour at most; goes on); SHARES="0.01 0.02" AGAIN=1
	$(call unlocked)
	@dvc repro extract
	@python studies/learn.py $(SHARES) $(if $(AGAIN),--again)

robust: setup  ## train all fusions on corrupted samples, too: what that buys (an hour at most; goes on); RECIPES=dropout AGAIN=1
	$(call unlocked)
	@dvc repro robustness
	@python studies/robust_training.py $(RECIPES) $(if $(AGAIN),--again)

tune: setup-dev  ## give each fusion the same budget of learning rate, schedule, epochs (an hour at most; goes on); TRIALS=12 SEEDS=5
	$(call unlocked)
	@dvc repro split check_inputs
	@python studies/tune.py $(if $(TRIALS),--trials $(TRIALS)) $(if $(SEEDS),--seeds $(SEEDS))

confirm: setup  ## open the holdout, once, at the very end: recorded in git, then measured; YES=1: without asking
	$(call unlocked)
	@python src/confirm.py $(if $(YES),--yes)

mend: setup  ## remove what is damaged, in DVC's cache too, and bring back what can be
	@python src/mend.py

notebook: setup  ## the four fusions with the notebook's indexing, scaling and split
	$(call experiment,notebook)
	@dvc exp run --temp --name notebook -S lidar.projection=notebook -S lidar.normalize=false \
	  -S split.group=none -S split.draws=fixed
	@python src/show.py table notebook

# First those of params.yaml in their order: a fusion's colour is by its position.
ZOO = late,concat,add,hadamard,rgb_only,lidar_only,late_matched,early,gated,film,low_rank_bilinear,cross_attention,bottleneck
zoo: setup  ## train every fusion that is here, also those that params.yaml does not list (20 minutes)
	$(call experiment,zoo)
	@dvc exp run --temp --name zoo -S 'fusions=[$(ZOO)]'
	@python src/show.py table zoo

bench: setup-dev  ## measure speed beside the notebook's way and a plain loop (10 minutes)
	$(call unlocked)
	@dvc repro split
	@python benchmarks/bench.py

bench-scale: setup-dev  ## measure time and memory up to 200,000 samples (10 minutes, 12 GB of disk)
	$(call unlocked)
	@dvc repro extract
	@python benchmarks/scale.py

study: setup-dev  ## train in fp32 and in bf16 with ten seeds each (an hour)
	$(call unlocked)
	@dvc repro extract
	@python benchmarks/study.py

# A worker per core; a file's tests, which share what they set up, stay on one worker, and files
# begin in the order of tests/conftest.py. An -m here takes the place of the one in pyproject.toml.
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: setup-dev  ## run the tests, the thorough ones left out (17 to 20 minutes on 2 cores)
	@$(PYTEST)

test-quick: setup-dev  ## run the tests, those that take long left out (3 minutes)
	@$(PYTEST) -m "not slow and not thorough"

test-all: setup-dev  ## run all tests, the thorough ones, too; writes the numbers of docs/reliability.md
	@$(PYTEST) -m "" --tally

check: setup-dev  ## ruff and mypy
	@ruff check src studies tests benchmarks notebooks
	@ruff format --check src studies tests benchmarks
	@mypy

current: setup  ## whether dvc.lock belongs to the code and params beside it
	@python $(TASKS) current

lock: setup-dev  ## pin the newest versions that work together
	@python $(TASKS) lock

clean-work:  ## drop finished seeds and training states, which another run would take up
	rm -rf .work

clean:  ## remove the environment and what checks leave; results and DVC's cache stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
