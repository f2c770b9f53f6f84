"""`--pip`, `-r` and `--cache`: packages of our own, from an index of our own."""
