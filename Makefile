# Everything a newcomer types. `make demo` and `make test` install what is missing.

CARGO ?= cargo
APT := DEBIAN_FRONTEND=noninteractive apt-get
# The program is tested with its fail points, so that it is built once. None does anything until it is armed.
TESTED := --locked --features api/fail-points
# Many tests wait more than they work.
export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

.PHONY: demo test torture test-eventstore bench lint setup

demo: setup ## Build the program and start it with a sample month on the embedded store
	$(CARGO) run --profile demo --locked --bin cluestream -- demo

test: setup-test lint ## Formats, lints and tests everything, on SQLite and PostgreSQL
	$(CARGO) run --quiet $(TESTED) --bin with-postgres -- $(CARGO) test --workspace $(TESTED) --no-fail-fast

test-eventstore: setup-test ## The suite of the log on the live EventStoreDB that EVENTSTORE_TEST_URL names
	@test -n "$$EVENTSTORE_TEST_URL" || { echo "Set EVENTSTORE_TEST_URL, such as esdb://admin:changeit@localhost:2113?tls=false"; exit 1; }
	$(CARGO) test --locked -p tests --test suite eventstore

torture: setup-test ## Faults with random seeds for SECONDS; SEED, STORE, LENGTH, ROUNDS: see docs/faults.md
	$(CARGO) run --quiet $(TESTED) --bin torture

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: setup-test ## The benchmarks: ours, the stock libraries and the physical limit in one run
	$(CARGO) bench --locked -p tests --bench bench

# Rust comes from rustup (rust-toolchain.toml names the version), Node.js from the machine.
setup:
	@command -v $(CARGO) >/dev/null || { echo "Install Rust with rustup first: https://rustup.rs"; exit 1; }
	@command -v npm >/dev/null || $(MAKE) --no-print-directory install PACKAGES="npm"

setup-test: setup
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(MAKE) --no-print-directory install PACKAGES="postgresql"
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || $(MAKE) --no-print-directory install PACKAGES="faketime"

install:
	@echo "Installing $(PACKAGES) ..."
	@if [ "$$(id -u)" = 0 ]; then $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $(PACKAGES); \
	else sudo $(APT) update -qq && sudo $(APT) install -y -qq --no-install-recommends $(PACKAGES); fi
