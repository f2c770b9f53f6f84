"""One line of a program's output, as a carriage return or a newline ends it, and what it tells of progress. Pure.

Known: tqdm (so Lightning, transformers, datasets), Keras 2 and 3, fastprogress, joblib, `Epoch 3/10` in the ways people
print it, the dicts that transformers' Trainer logs, and whatever redraws itself with a `42%`.

The lines are anybody's: no pattern looks at more than MOST_CHARACTERS, and none goes back over what it has read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MOST_CHARACTERS = 400
"""Of a line: a bar fits a screen."""
MOST_MEASURED = 16
"""Metrics of one line."""

_ESCAPES = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]")
_SPACES = re.compile(" {2,}")
_UP = "\x1b[A"
"""tqdm draws the bars below another so: a newline for each, the bar, and back up."""
_COUNT = r"[0-9]{1,15}(?:\.[0-9]{1,6})?"
_SCALED = rf"{_COUNT}[kKMGTPEZY]?i?"
_CLOCK = r"(?:[0-9]{1,6}:)?[0-9]{1,6}:[0-9]{2}"
_RATE = rf"(?P<rate>{_COUNT}(?:[kKMGTPEZY](?=(?:i?[bB]|it)/))?|\?)(?P<unit>[^\s,\]0-9./]{{1,40}}/[^\s,\]]{{1,40}})"
_TQDM = re.compile(
    r"(?:(?P<label>.{1,200}?):? +)??(?P<percent>[0-9]{1,3})%[| ]"
    rf"(?:[^|]{{0,300}}\|)? ?(?P<step>{_SCALED})/(?P<total>{_SCALED})(?P<rest> \[.*)?$"
)
_REST = re.compile(rf" \[{_CLOCK}<(?P<eta>{_CLOCK}|\?)(?:, *{_RATE})?(?P<more>, [^\]]*)?")
_UNLIMITED = re.compile(
    rf"(?:(?P<label>.{{1,200}}?): )??(?P<step>{_SCALED})(?P<of>[^\s\[\]0-9/%]{{1,40}}) "
    rf"\[{_CLOCK}, *{_RATE}(?P<more>, [^\]]*)?\]$"
)
_SHORT = re.compile(
    rf"(?:(?P<label>.{{1,200}}?):? )??(?P<step>{_SCALED})/(?P<total>{_SCALED})(?P<rest> \[{_CLOCK}<.*)$"
)
_FASTPROGRESS = re.compile(
    r"(?:(?P<label>[^|]{1,100}) )?\|[^|]{0,300}\| (?P<percent>[0-9.]{1,7})% "
    rf"\[(?P<step>{_COUNT})/(?P<total>{_COUNT}) {_CLOCK}<(?P<eta>{_CLOCK}|\?)"
)
_KERAS = re.compile(
    rf" *(?P<step>{_COUNT})/(?P<total>{_COUNT}|Unknown) +(?:[━=>.\[\]-]{{2,100}} )?(?:- )?(?P<ahead>ETA: )?"
    r"(?P<time>(?:[0-9]{1,6}:){0,2}[0-9]{1,6}s?)(?: (?P<each>[0-9]{1,9})(?P<unit>us|ms|s)/(?:step|epoch))?"
    r"(?P<more> - .*)?$"
)
_JOBLIB = re.compile(
    r"\[Parallel\(n_jobs=-?[0-9]{1,6}\)\]: Done +(?P<step>[0-9]{1,15}) (?:tasks|out of +(?P<total>[0-9]{1,15})) "
)
_EPOCH = re.compile(
    r"(?:.{0,60}?[^\w])??epochs?[ :#]{0,2}\[?(?P<epoch>[0-9]{1,7})(?: ?/ ?| of )(?P<epochs>[0-9]{1,7})\]?(?P<more>.*)$",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r".{0,12}\b(?:step|batch|iter|iteration)s?[ :#]{0,2}\[?"
    r"(?P<step>[0-9]{1,12})(?: ?/ ?| of )(?P<total>[0-9]{1,12})\]?",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?:^|[^0-9.])(?P<percent>[0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
_OF = re.compile(rf"(?:^|[^0-9./])(?P<step>{_COUNT}) ?(?:/|of) ?(?P<total>{_COUNT})(?![0-9./])")
_VALUE = r"-?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,4})?|-?(?:nan|inf)\b"
_MEASURED = re.compile(
    r"(?<![\w./-])(?P<name>[A-Za-z][\w./-]{0,39}(?: [A-Za-z][\w./-]{0,20})?)(?:=|: ?| = ?)"
    rf"(?P<value>{_VALUE})(?![\w.:/%])"
)
_LOGGED = re.compile(rf"['\"](?P<name>[\w./-]{{1,40}})['\"]: ?['\"]?(?P<value>{_VALUE})['\"]?(?=[,}}])")
_SCALES = {name: number for number, name in enumerate("kMGTPEZY", 1)}
_NO_METRICS = frozenset({"v_num", "eta", "epoch", "step", "batch", "time", "elapsed"})
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Sighting:
    """What one line tells. Unknown is None."""

    label: str = ""
    kind: str = ""
    """Of bar; empty: no bar, only metrics or the number of an epoch."""
    step: float | None = None
    total: float | None = None
    fraction: float | None = None
    rate: float | None = None
    """Steps a second."""
    eta_s: float | None = None
    position: int = 0
    """How many bars are drawn above it, as far as this line shows."""
    epoch: float | None = None
    epochs: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def sighting(line: str, *, redrawn: bool, whole: bool = True) -> Sighting | None:
    """What `line` tells of progress; None: nothing.

    `redrawn`: it stands, or stood, where another one did before. Not `whole`: more of it may come, and only what shows
    its own end counts, as tqdm's bars do, which end with no newline until the next.
    """
    position = line.count(_UP) if _UP in line else 0
    text = _SPACES.sub(" ", _ESCAPES.sub("", line[: 2 * MOST_CHARACTERS]).replace("\b", "")).strip()[:MOST_CHARACTERS]
    if not text or not _worth_a_look(text, redrawn):
        return None
    if not whole:
        return _bar(text, position) if text[-1] == "]" and "[" in text else None
    found = _bar(text, position) or _epoch(text) or _log(text)
    return found or (_percent(text) if redrawn else None)


def _worth_a_look(text: str, redrawn: bool) -> bool:
    """Most lines are not: they cost a few searches for a character."""
    return (
        redrawn or "/" in text or "%" in text or " of " in text or text[0] == "{" or "it [" in text or "[Para" in text
    )


def _bar(text: str, position: int) -> Sighting | None:
    if ("<" in text and "[" in text) or "% " in text or "%|" in text:
        found = _TQDM.match(text) or _SHORT.match(text)
        if found and (found["rest"] or "|" in text):
            return _tqdm(found, position)
    if "|" in text and (found := _FASTPROGRESS.match(text)):
        return Sighting(
            found["label"] or "",
            "fastprogress",
            *_pair(found["step"], found["total"]),
            eta_s=_clock(found["eta"]),
        )
    if "[" in text and (found := _UNLIMITED.match(text)):
        rate = _rate(found["rate"], found["unit"])
        return Sighting(
            found["label"] or "", "tqdm", _scaled(found["step"]), rate=rate, metrics=measured(found["more"])
        )
    if text[0].isdigit() and (found := _KERAS.match(text)):
        return _keras(found)
    if text.startswith("[Parallel(") and (found := _JOBLIB.match(text)):
        return Sighting("", "joblib", *_pair(found["step"], found["total"]))
    return None


def _tqdm(found: re.Match[str], position: int) -> Sighting:
    label, rest = found["label"] or "", _REST.match(found["rest"] or "")
    rate = eta_s = None
    metrics: Mapping[str, float] = {}
    if rest:
        rate, eta_s, metrics = _rate(rest["rate"], rest["unit"]), _clock(rest["eta"]), measured(rest["more"])
    epoch = _EPOCH.match(label)
    step, total, fraction = _pair(found["step"], found["total"])
    return Sighting(
        label,
        "tqdm",
        step,
        total,
        fraction,
        rate=rate,
        eta_s=eta_s,
        position=position,
        epoch=_scaled(epoch["epoch"]) if epoch else None,
        epochs=_scaled(epoch["epochs"]) if epoch else None,
        metrics=metrics,
    )


def _keras(found: re.Match[str]) -> Sighting | None:
    # Version 3 shows the time that is left as it shows the time that it took, which only its last line does.
    step, total, fraction = _pair(found["step"], found["total"])
    if not (found["each"] or found["ahead"] or found["more"]):
        return None
    each = float(found["each"]) * _SECONDS[found["unit"]] if found["each"] else 0.0
    ahead = found["ahead"] or (fraction is not None and fraction < 1)
    return Sighting(
        "",
        "keras",
        step,
        total,
        fraction,
        rate=1 / each if each else None,
        eta_s=_clock(found["time"]) if ahead else None,
        metrics=measured(found["more"]),
    )


def _epoch(text: str) -> Sighting | None:
    found = _EPOCH.match(text)
    if found is None:
        return None
    metrics = measured(found["more"])
    epoch, epochs = float(found["epoch"]), float(found["epochs"])
    steps = _STEPS.match(found["more"])
    if steps is None:
        # With its results an epoch is named when it is over, without them when it begins.
        done = 1.0 if metrics else None
        return Sighting(epoch=epoch, epochs=epochs, metrics=metrics, fraction=done)
    step, total, fraction = _pair(steps["step"], steps["total"])
    return Sighting("", "steps", step, total, fraction, epoch=epoch, epochs=epochs, metrics=metrics)


def _log(text: str) -> Sighting | None:
    """What transformers' Trainer prints: a dict, whose numbers are texts in newer versions."""
    if not (text[0] == "{" and text[-1] == "}"):
        return None
    found = {each["name"]: _scaled(each["value"]) for each in _first(_LOGGED.finditer(text))}
    metrics = {name: value for name, value in found.items() if value is not None and name not in _NO_METRICS}
    return Sighting(metrics=metrics) if metrics else None


def _percent(text: str) -> Sighting | None:
    percent, pair = _PERCENT.search(text), _OF.search(text)
    step, total, fraction = _pair(pair["step"], pair["total"]) if pair else (None, None, None)
    if percent and float(percent["percent"]) <= 100:
        fraction = float(percent["percent"]) / 100
    elif fraction is None or (step is not None and total is not None and step > total):
        return None
    label = text[: min(each.start() for each in (percent, pair) if each)].strip(" |[:-")
    return Sighting(label, "percent", step, total, fraction, metrics=measured(text))


def measured(text: str | None) -> dict[str, float]:
    """The metrics of a line: `loss=0.5`, `loss: 0.5`."""
    found: dict[str, float] = {}
    for each in _first(_MEASURED.finditer(text or "")):
        name, value = each["name"], _scaled(each["value"])
        if value is not None and name.lower() not in _NO_METRICS:
            found[name] = value
    return found


def _first(found: Iterator[re.Match[str]]) -> Iterator[re.Match[str]]:
    for _, each in zip(range(MOST_MEASURED), found, strict=False):
        yield each


def _pair(step: str, total: str | None) -> tuple[float | None, float | None, float | None]:
    done, of = _scaled(step), _scaled(total) if total and total[0].isdigit() else None
    return done, of or None, min(1.0, done / of) if done is not None and of else None


def _scaled(text: str) -> float | None:
    """`12`, `1.91M`, `2.86Mi`, `nan`."""
    text = text.removesuffix("i")
    scale = 1000.0 ** _SCALES.get(text[-1].replace("K", "k"), 0) if text and text[-1] in "kKMGTPEZY" else 1.0
    try:
        return float(text if scale == 1.0 else text[:-1]) * scale
    except ValueError:
        return None


def _rate(text: str | None, unit: str | None) -> float | None:
    """Of `4.2`, `it/s` or of `1.3`, `s/it`."""
    value = None if text is None or text == "?" else _scaled(text)
    if value is None or not value or unit is None or not math.isfinite(value):
        return None
    return 1 / value if unit.startswith("s/") else value


def _clock(text: str | None) -> float | None:
    """Seconds of `01:02`, `1:02:03`, `5s`; None: `?`."""
    if text is None or text == "?":
        return None
    found = 0.0
    for part in text.removesuffix("s").split(":"):
        found = found * 60 + float(part)
    return found
