# `just` lists the recipes.

_list:
    @just --list

# Run the server on a local database.
run *args:
    cargo run -- serve --listen 127.0.0.1:8080 --database sqlite:muster.db {{ args }}

# Run every test, as continuous integration does.
check:
    ./check

# Run the tests of the workspace.
test *args:
    cargo test --workspace {{ args }}

# Run the public conformance suites against the debug build.
suites:
    cargo test --workspace --no-run
    ./check suites

# Rewrite the expected results of the data tests; read the diff before you commit it.
update-expect:
    UPDATE_EXPECT=1 cargo test --workspace

# Lint everything.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Format everything.
fmt:
    cargo fmt --all
