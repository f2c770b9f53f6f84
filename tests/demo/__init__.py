"""`make demo`, as someone meets it who has nothing but Python with venv, git and make."""
