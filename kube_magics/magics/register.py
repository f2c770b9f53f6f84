"""What `%load_ext kube_magics` does: register names, and warm the imports once the loading cell has returned."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

from IPython.core.completer import context_matcher
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from traitlets import Any as AnyTrait

from kube_magics.jobs import here
from kube_magics.magics import notebook
from kube_magics.spec import pages, verbpages
from kube_magics.spec.limits import LIMITS
from kube_magics.spec.options import SETTABLE

_KUBETRAIN_HELP = f"""Run this cell as a job, on Kubernetes or on this machine.

    %%kubetrain --gpus 1 --returns model,score
    model = train(data)
    score = model.score(test)

The cell, and only what it uses from the notebook, travels; its output shows live here; the names of --returns and
exceptions come back as if it had run here. $name and {{expr}} in the line are replaced from the notebook.

{pages.help_text()}
"""

PARSES_BESIDE = sys.version_info[:3] >= (3, 12, 2) or (3, 11, 8) <= sys.version_info[:3] < (3, 12)
"""A thread may make syntax trees. Before (python/cpython#106905) that could fail the cell which IPython parsed then:
SystemError, "AST constructor recursion depth mismatch"."""


@magics_class
class KubeMagics(Magics):
    """`%%kubetrain` and `%kube`; both only delegate. `c.KubeMagics…` in IPython's configuration sets defaults."""

    # Untyped: a value is read as the line's and the call's are, with the same sentences for wrong ones.
    locals().update({each.field: AnyTrait(help=each.help).tag(config=True) for each in (*SETTABLE, *LIMITS)})

    @no_var_expand
    @cell_magic
    def kubetrain(self, line: str, cell: str) -> object:
        from kube_magics.magics import kubetrain
        from kube_magics.magics.shown import shown

        with shown(self.shell) as debugging:
            return kubetrain.run(self.shell, line, cell, debugging)

    @no_var_expand
    @line_magic
    def kube(self, line: str) -> object:
        from kube_magics.magics import kube
        from kube_magics.magics.shown import shown

        with shown(self.shell) as debugging:
            return kube.run(self.shell, line, debugging)

    kubetrain.__doc__ = _KUBETRAIN_HELP
    kube.__doc__ = verbpages.help_text()


def register(shell: Any) -> None:
    """Register the magics in `shell`; loading twice is harmless."""
    if not any(isinstance(each, KubeMagics) for each in shell.configurables):
        shell.register_magics(KubeMagics)
    _complete(shell)
    here.set_configuration(lambda: _configured(shell))
    here.set_reader(lambda: notebook.read(shell))
    here.set_display(notebook.show_picture)
    here.set_card_views(lambda: _card_view(shell))
    here.set_cell(lambda: notebook.run_id(shell))
    as_html = shell.display_formatter.formatters["text/html"]
    as_html.for_type("kube_magics.telemetry.card.Card", _card_html)
    as_html.for_type("kube_magics.jobs.job.Job", _job_html)
    here.set_presence(lambda: notebook.answers(shell), lambda: notebook.leaving(shell), lambda: notebook.shows(shell))
    if _with_body not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.insert(0, _with_body)

    def warm(*_: object) -> None:
        shell.events.unregister("post_run_cell", warm)
        threading.Thread(target=_import_all, name="kube_magics-warm", daemon=True).start()

    shell.events.register("post_run_cell", warm)


def _card_view(shell: Any) -> here.CardView | None:
    from kube_magics.magics import cards

    return cards.view(shell)


def _card_html(card: Any) -> str:
    from kube_magics.widgets.card import card_html

    return card_html(card)


def _job_html(job: Any) -> str | None:
    """None, which leaves it to its text, for one whose card takes requests that nobody has asked for."""
    return _card_html(job.card()) if job.log_path is not None else None


def _complete(shell: Any) -> None:
    """Let Tab know our lines; once, however often the extension is loaded."""
    matchers = shell.Completer.custom_matchers
    if all(getattr(each, "matcher_identifier", "") != "kube_magics" for each in matchers):

        def matches(context: Any) -> Any:
            from kube_magics.magics import completion

            return completion.matches(context, shell.user_ns)

        matchers.append(context_matcher(identifier="kube_magics")(matches))


def _configured(shell: Any) -> dict[str, Any]:
    """What `c.KubeMagics…` sets, and `%config KubeMagics…`, by field."""
    (ours,) = (each for each in shell.configurables if isinstance(each, KubeMagics))
    values = {option.field: getattr(ours, option.field) for option in (*SETTABLE, *LIMITS)}
    return {field: value for field, value in values.items() if value is not None}


def _with_body(lines: list[str]) -> list[str]:
    # IPython prints a line about a cell magic without any body and goes on: "Run all" would march past it.
    alone = len(lines) == 1 and lines[0].startswith("%%kubetrain") and not lines[0].rstrip().endswith("?")
    return [lines[0].rstrip("\n") + "\n", "\n"] if alone else lines


def _import_all() -> None:
    # Half a second of imports, and of making the runner small, that the first job would wait for; no network.
    for name in (
        "kube_magics.magics.kubetrain",
        "kube_magics.magics.kube",
        "kube_magics.verbs.run",
        "kube_magics.backends.kubernetes",
    ):
        importlib.import_module(name)
    importlib.import_module("kube_magics.cluster.auth").warm()
    shipped = importlib.import_module("kube_magics.runner.shipped")
    if PARSES_BESIDE:  # else the first job makes it small, in its own cell
        shipped.files({})
