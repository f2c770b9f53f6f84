"""The rules of ARCHITECTURE.md that no tool of `make check` holds: each test is one sentence of it."""
