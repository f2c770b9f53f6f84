"""Every case of every `.cases` file, as a job on this machine and, a third of them or all, on the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.cluster.namespaces import delete
from tests.corpus.abreast import Abreast
from tests.corpus.desk import Desk, Worked, lay_out
from tests.corpus.plain import Plain
from tests.corpus.reading import Case, read, themes

CASES = {(theme, title): case for theme in themes() for title, case in read(theme).items()}
HERE = [pytest.param(theme, case, id=f"{theme}: {title}") for (theme, title), case in CASES.items()]
THERE = [
    pytest.param(theme, case, id=f"{theme}: {title}", marks=[] if "cluster" in case.words else [pytest.mark.long])
    for (theme, title), case in CASES.items()
    if "local" not in case.words
]


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    with Plain() as found:
        yield found


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("local")
    with Desk(folder, _here(folder)) as desk:
        yield desk


@pytest.fixture(scope="module")
def kubernetes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster
) -> Iterator[Abreast]:
    """All that was chosen of `test_there`, begun ahead of it."""
    space = cluster.namespace()
    environment = {
        "KUBECONFIG": str(space.kubeconfig),
        "KUBE_MAGICS_CONTEXT": space.context,
        "KUBE_MAGICS_IMAGE": cluster.images.quickstart,
    }
    chosen = {
        item.name: item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_there
    }
    try:
        with Abreast(tmp_path_factory.mktemp("kubernetes"), environment, "--cpus 100m") as abreast:
            abreast.begin(chosen)
            yield abreast
    finally:
        delete(space)


def _here(folder: Path) -> dict[str, str]:
    return {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(folder / "state")}


@pytest.mark.corpus
@pytest.mark.parametrize(("theme", "case"), HERE)
def test_here(theme: str, case: Case, plain: Plain, local: Desk, tmp_path: Path) -> None:
    if "alone" in case.words:
        with Desk(tmp_path, _here(tmp_path)) as desk:
            check(case, desk.run(case), plain, tmp_path)
    else:
        check(case, local.run(case), plain, tmp_path)


@pytest.mark.corpus
def test_a_difference_is_seen(plain: Plain, local: Desk, tmp_path: Path) -> None:
    case = Case("differs", "import os\nprint(os.getpid())\nraise ValueError(os.getpid())")
    with pytest.raises(AssertionError, match=r"(?s)shown.*job: .*plain: .*message.*job: "):
        check(case, local.run(case), plain, tmp_path)


@pytest.mark.cluster
@pytest.mark.parametrize(("theme", "case"), THERE)
def test_there(
    theme: str, case: Case, plain: Plain, kubernetes: Abreast, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    check(case, kubernetes.worked(request.node.name), plain, tmp_path)


def check(case: Case, worked: Worked, plain: Plain, folder: Path) -> None:
    """`folder` is for the plain notebook."""
    found = worked.seen
    if not case.stated:
        lay_out(case, folder / "plain")
        here = plain.run(case, folder / "plain")
        if "times" in case.words:
            found, here = found.without_times(), here.without_times()
        differences = found.differs(here)
        report = [f"{what}\n  job:   {one!r}\n  plain: {other!r}" for what, (one, other) in differences.items()]
        assert not differences, "\n".join(["", *report])
    if case.message is not None:
        assert re.search(case.message, found.message), found
        assert case.error in (None, found.error), found
        assert worked.created is not case.refused, worked.ours
    elif case.stated:
        assert (found.error, found.shown) == (None, f"{case.prints}\n" if case.prints else ""), found
    if case.stated:
        assert {expression: found.values[expression] for expression in case.after} == dict.fromkeys(case.after, "True")
    for expression in case.says:
        assert re.search(expression, worked.ours), worked.ours
    for expression in case.quiet:
        assert not re.search(expression, worked.ours), worked.ours


def test_there_are_at_least_120_cases_and_a_third_of_them_runs_on_the_cluster_every_time() -> None:
    marked = [case for case in CASES.values() if "cluster" in case.words]
    assert len(CASES) >= 120
    assert len(marked) >= len(CASES) / 3
