"""The notebooks that users meet first, run as they are: here, on the real cluster, and from inside it."""
