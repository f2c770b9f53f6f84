"""What `make hub` does besides JupyterHub: a file a question.

Here: what can be asked for, the passwords, the proxy, what must be free and what a dead hub left, the hub's process
from its start to its end. Not here: what JupyterHub is told, which stands as data in `jupyterhub_config.py`. Imports
the standard library, platformdirs and psutil; nothing of kube_magics.
"""
