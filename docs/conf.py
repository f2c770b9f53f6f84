"""Sphinx: `make docs` builds these pages, and fails on a broken link, a missing page or an unlisted one."""

from __future__ import annotations

from kube_magics.version import VERSION

project = "kube_magics"
release = VERSION
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns: list[str] = []
nitpicky = True
# Headings are linked to as on GitHub: options.md#limits-of-a-site.
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"kube_magics {VERSION}"
html_show_sourcelink = False
# Cells hold IPython's magics and shell lines, which the lexer of Python has no words for.
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]
