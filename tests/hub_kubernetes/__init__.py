"""hub-config on Kubernetes: the objects of users' namespaces, the hub's account, and the hub itself under it."""
