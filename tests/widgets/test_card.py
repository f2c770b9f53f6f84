"""The card as HTML: legible on any theme, told to screen readers, and nobody's but ours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.telemetry.card import Brought, Card, card
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.curves import Curve
from kube_magics.telemetry.heard import Heard
from kube_magics.telemetry.progress import Progress
from kube_magics.telemetry.snapshot import of_job
from kube_magics.widgets import colours
from kube_magics.widgets.card import card_html
from tests.telemetry.test_card import BEGAN, END, RUNNING, on_cluster, stage, told
from tests.telemetry.test_snapshot import a_job
from tests.telemetry.test_usage import reading, sample
from tests.widgets.contrast import LEAST, contrast, of_hex

LAB_TAGS = set("div progress span strong em ol li table caption thead tbody tr th td".split())
"""Of those that JupyterLab 4.6 keeps of a notebook that it does not trust (apputils, sanitizer.ts)."""
SVG_TAGS = {"svg", "metadata", "path"}
"""Of these it keeps what is written in them."""
LAB_STYLES = set(
    "background-color border-radius color display flex-wrap list-style-type margin padding text-align".split()
)


def computing() -> Card:
    heard = told({"e": "start", "devices": [{"name": "NVIDIA H100"}]}, stage("running", 82), sample([reading(90)] * 5))
    return card(on_cluster(RUNNING), heard, BEGAN + 100)


def ended(phase: str = "succeeded") -> Card:
    brought = Brought(("model",), {"a.csv": 10}, ".kube_magics/logs/x.log")
    return card(on_cluster(RUNNING), told(stage("running", 82), END), BEGAN + 999, phase=phase, brought=brought)


def waiting() -> Card:
    return card(
        replace(on_cluster(scheduled=False), cause=Cause("quota", "Over quota.", "said", "fix")), Heard(), BEGAN
    )


def reporting() -> Card:
    curves = {"loss": Curve(tuple((float(n), 1 / (n + 1)) for n in range(100))), "odd": Curve(((0.0, math.nan),))}
    progress = Progress(0.42, 420, 1000, 4.2, 138.0, "training", curves)
    return card(on_cluster(RUNNING), told(stage("running", 82)), BEGAN + 100, progress=progress)


CARDS = [computing(), reporting(), ended(), ended("failed"), waiting()]


class Elements(HTMLParser):
    """(path of tags, attributes, text) of each piece of text; every tag that is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[list[tuple[str, dict[str, str | None]]], str]] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert not self.path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path.append((tag, dict(attrs)))
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((list(self.path), data))


def styles(attributes: dict[str, str | None]) -> dict[str, str]:
    pairs = (each.split(":", 1) for each in (attributes.get("style") or "").split(";") if each)
    return {name.strip(): value.strip() for name, value in pairs}


# Text and background of JupyterLab's two themes.
@pytest.mark.parametrize(
    ("text", "background"), [("#212121", "#ffffff"), ("#e0e0e0", "#111111")], ids=["light", "dark"]
)
@pytest.mark.parametrize("shown", CARDS, ids=lambda shown: shown.phase)
def test_every_text_is_legible_on_every_theme(shown: Card, text: str, background: str) -> None:
    for path, said in Elements(card_html(shown)).texts:
        colour, behind = text, background
        for _, attributes in path:
            own = styles(attributes)
            assert ("color" in own) == ("background-color" in own), "one without the other is legible by luck"
            colour, behind = own.get("color", colour), own.get("background-color", behind)
        assert contrast(of_hex(colour), of_hex(behind)) >= LEAST, said


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(of_hex("#777777"), of_hex("#ffffff")) == pytest.approx(4.48, abs=0.01)


def test_every_pair_of_colours_is_legible() -> None:
    pairs = [each for each in vars(colours).values() if isinstance(each, colours.Pair)]
    assert len(pairs) > 3
    assert min(contrast(of_hex(each.text), of_hex(each.background)) for each in pairs) >= LEAST


@pytest.mark.parametrize("shown", CARDS, ids=lambda shown: shown.phase)
def test_nothing_of_it_is_lost_where_a_notebook_is_not_trusted(shown: Card) -> None:
    for tag, attributes in Elements(card_html(shown)).seen:
        if tag in SVG_TAGS:
            continue
        assert tag in LAB_TAGS
        assert set(attributes) <= {"style", "scope", "title", "aria-hidden", "max", "value"}
        assert set(styles(attributes)) <= LAB_STYLES


@pytest.mark.notebook
@pytest.mark.parametrize("shown", CARDS, ids=lambda shown: shown.phase)
def test_its_words_survive_the_strictest_sanitizer(shown: Card) -> None:
    from nbconvert.preprocessors.sanitize import SanitizeHTML

    cleaned = SanitizeHTML(strip=True).sanitize_html_tags(card_html(shown))
    whole = [said for _, said in Elements(card_html(shown)).texts]
    left = "".join(said for _, said in Elements(cleaned).texts)
    assert all(each in left for each in whole)


def test_a_screen_reader_is_told_lists_and_headers() -> None:
    parsed = Elements(card_html(computing()))
    said = {text: [tag for tag, _ in path] for path, text in parsed.texts}
    assert said["● running 18 s"] == ["ol", "li", "strong"]
    assert said["what it uses"] == ["table", "caption"]
    assert said["peak"][-1] == "th"
    scopes = {text: path[-1][1].get("scope") for path, text in parsed.texts}
    assert (scopes["now"], scopes["GPU 0 memory"]) == ("col", "row")
    curves = [path[-1][1] for path, text in parsed.texts if set(text) <= set("▁▂▃▄▅▆▇█·")]
    assert curves
    assert all(each["aria-hidden"] == "true" and each["title"] for each in curves)


def test_a_curve_is_told_as_one_picture() -> None:
    parsed = Elements(card_html(reporting()))
    pictures = [attributes for tag, attributes in parsed.seen if tag == "svg"]
    assert [each["aria-label"] for each in pictures] == [
        "loss so far: from 1 to 0.01",
        "odd so far: from nan to nan",
    ]
    assert {each["role"] for each in pictures} == {"img"}
    blocks = [[tag for tag, _ in path][-3:] for path, text in parsed.texts if set(text) <= set("▁▂▃▄▅▆▇█·")]
    assert blocks == [["span", "svg", "metadata"]] * 2


def test_progress_is_a_bar_and_its_words() -> None:
    parsed = Elements(card_html(reporting()))
    assert ("progress", {"max": "100", "value": "42", "title": "42 %"}) in parsed.seen
    said = [text for _, text in parsed.texts]
    assert "42 % (420 of 1,000), 4.2 a second, 2 min 18 s left; training" in "".join(said)
    assert said[said.index("loss") + 1 :][:4] == ["0.01", "█▂" + "▁" * 22, "0.01", "1"]


def test_signs_and_colours_only_repeat_the_words() -> None:
    for phase in ("succeeded", "failed", "stopped", "gone"):
        assert phase in "".join(said for _, said in Elements(card_html(ended(phase))).texts)


HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>\x1b[2J\u202e"


def texts_of(found: Any) -> Iterator[str]:
    for each in fields(found):
        value = getattr(found, each.name)
        if isinstance(value, str):
            yield each.name


def test_hostile_text_in_every_field_is_text() -> None:
    wicked = HOSTILE
    heard = told(
        {"e": "start", "devices": [{"name": wicked}]}, stage("running", 82), {**END, "reason": wicked, "code": wicked}
    )
    job = a_job()
    state = of_job(job, [])
    state = replace(
        state,
        **{name: wicked for name in texts_of(state) if name != "phase"},
        cause=Cause(wicked, wicked, wicked, wicked),
    )
    brought = Brought((wicked,), {wicked: 1}, wicked)
    told_so = Progress(0.5, 1, 2, None, None, wicked, {wicked: Curve(((0.0, 1.0),))})
    for phase in ("running", "failed", "succeeded", wicked):
        html = card_html(card(replace(state, phase=phase), heard, BEGAN, progress=told_so, brought=brought))
        assert {tag for tag, _ in Elements(html).seen} <= LAB_TAGS | SVG_TAGS
        assert "<img" not in html
        assert not [each for each in html if not each.isprintable()]


@given(st.text())
def test_whatever_a_node_is_called(name: str) -> None:
    html = card_html(replace(computing(), node=name, name=name))
    assert [tag for tag, _ in Elements(html).seen] == [tag for tag, _ in Elements(card_html(computing())).seen]


def test_it_is_small_enough_to_be_sent_four_times_a_second() -> None:
    heard = told(
        {"e": "start", "devices": [{"name": "NVIDIA H100 80GB HBM3"}] * 8},
        *[sample(*[[reading(90)] * 2] * 8, thin=True) for _ in range(50)],
    )
    jagged = Curve(tuple((float(n), (n % 7) / 7) for n in range(256)))
    progress = Progress(0.42, 420, 1000, 4.2, 138.0, "training", {f"metric {n}": jagged for n in range(32)})
    assert len(card_html(card(on_cluster(RUNNING), heard, BEGAN, progress=progress)).encode()) < 25_000
