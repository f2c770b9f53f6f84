"""What verbs give, without a notebook and without a cluster."""
