"""Every notebook of the server begins with kube_magics loaded. At /etc/ipython, so that a home cannot hide it."""

c = get_config()  # noqa: F821, IPython's own

c.InteractiveShellApp.extensions = ["kube_magics"]
