"""The product as its users meet it: real kernels, real jobs, their mistakes and their hurry."""
