"""Faults between a notebook and its cluster, made on purpose: what must come through them is the whole log."""
