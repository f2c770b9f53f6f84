"""The hub of one machine: what it is told, and a real one with people who log in."""
