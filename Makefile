# make demo: see it work. make test: everything that CI runs. Both do all set-up by themselves.
SWIFT_FLAGS := -c release
BIN := .build/release

.PHONY: demo test build check bench fuzz proof groups clean

demo: setup
	swift build $(SWIFT_FLAGS) --product posthouse
	swift build $(SWIFT_FLAGS) --product courier
	$(BIN)/posthouse demo

# One flavour, release, for programs and tests alike: the tests drive the programs that people run, and dependencies are compiled once.
test: setup
	scripts/check
	swift build $(SWIFT_FLAGS) --build-tests --explicit-target-dependency-import-check error
	scripts/run-tests

# What a message costs, how fast, what the parts allow: docs/performance.md.
bench: setup
	swift build $(SWIFT_FLAGS) --product posthouse
	swift build $(SWIFT_FLAGS) --product workbench
	scripts/bench

# libFuzzer on every target, FUZZ_SECONDS each, or on those of FUZZ_TARGETS; built apart, since the sanitizer changes everything.
FUZZ_SECONDS := 60
fuzz: setup
	POSTHOUSE_FUZZ=1 swift build $(SWIFT_FLAGS) --sanitize fuzzer --scratch-path .build/fuzz --product fuzzer
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz .build/fuzz/release/fuzzer $(FUZZ_TARGETS)

# Real nodes and clients under faults, docs/reliability.md: PROOF_MINUTES more each time, the results add up in PROOF_OUT.
PROOF_MINUTES := 60
PROOF_OUT := .build/proof
proof: setup
	swift build $(SWIFT_FLAGS) --product posthouse
	swift build $(SWIFT_FLAGS) --product courier
	swift build $(SWIFT_FLAGS) --product FaultShim
	swift build $(SWIFT_FLAGS) --product workbench
	$(BIN)/workbench proof $(PROOF_SCENARIOS) --minutes $(PROOF_MINUTES) --resume $(PROOF_OUT)

# The group tests whole: 50 users, 1,000 messages, a hub stopped for 30 s, 1,000 events and 50 commits missed. CI runs them smaller.
groups: setup
	swift build $(SWIFT_FLAGS) --build-tests
	POSTHOUSE_GROUP_USERS=50 POSTHOUSE_GROUP_MESSAGES=1000 POSTHOUSE_COMMIT_STOP=30 POSTHOUSE_CATCHUP_EVENTS=1000 \
	POSTHOUSE_CATCHUP_COMMITS=50 scripts/run-tests --filter GroupThroughCrashes

build: setup
	swift build $(SWIFT_FLAGS)

check:
	scripts/check

.PHONY: setup
setup:
	@scripts/setup

clean:
	rm -rf .build
