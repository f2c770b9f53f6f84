"""The runner, tested as real processes."""
