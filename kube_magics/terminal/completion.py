"""Completion in a shell, from the same table as in a notebook; names of jobs as they were last seen."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kube_magics.jobs import remembered
from kube_magics.spec.completion import LINE, wanted

_BASH = """\
_kube_magics() {
    local IFS=$'\\n' current="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=($(kube-magics complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    if [[ "${COMPREPLY[0]}" == "<files>" ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
    if [[ "${COMPREPLY[0]}" == *= ]]; then compopt -o nospace; fi
}
complete -o filenames -F _kube_magics kube-magics
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n" + _BASH
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH}


def script(words: Sequence[str]) -> int:
    """Print what a shell must read once."""
    if len(words) != 1 or words[0] not in _SCRIPTS:
        sys.stderr.write("kube-magics completion bash|zsh: source <(kube-magics completion bash)\n")
        return 2
    sys.stdout.write(_SCRIPTS[words[0]])
    return 0


def offer(words: Sequence[str]) -> int:
    """Print what may stand at the cursor, which is behind the last of `words`; a line each."""
    typed = _as_typed(words or [""])
    found = wanted(" ".join([LINE, *typed]))
    if found is None:
        return 0
    # The shell puts what is printed in the place of its own last word, of which only an end may be wanted: `a,b`.
    kept = typed[-1].removesuffix(found.fragment)
    if len(typed) < len(words):
        kept = kept.rpartition("=")[2]
    for word in found.words:
        if word == "<files>":
            print(word)
            return 0
        names = (remembered.read() if word == "<jobs>" else []) if word.startswith("<") else [word]
        for name in names:
            if name.startswith(found.fragment):
                print(kept + name)
    return 0


def _as_typed(words: Sequence[str]) -> list[str]:
    """bash takes `--status=a` apart into three words, and zsh does not."""
    joined: list[str] = []
    for word in words:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined
