"""Notebooks as their users see them: a real JupyterLab in a real browser."""
