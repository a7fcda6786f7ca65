# What CI runs, by the same script.
ci:
    bash .ci/run

# Everything that must pass before a commit, without the slow parts.
quick:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# The tests of the README.
test:
    cargo test --workspace

# Licences, sources and advisories.
deny:
    cargo deny check

# Write graphql/schema.graphql anew after a change of the schema.
sdl:
    UPDATE_SDL=1 cargo test -p graphql sdl

# Blocks per second from a node to the durable store.
bench:
    cargo run --release -- bench

demo:
    cargo run --release -- demo
