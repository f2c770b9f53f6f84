"""Every case runs on every backend and must read the same: one normalised transcript."""
