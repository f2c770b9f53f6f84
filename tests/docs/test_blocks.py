"""Every block of every page is run as a reader would, one kernel a page, or says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.acceptance.desk import Desk, desk
from tests.cluster import Cluster
from tests.cluster.claims import claim
from tests.docs.blocks import LANGUAGES, Block, absent, blocks, pages

PAGES = {page: list(blocks(page)) for page in pages()}
SHOWS = ("python", "bash")
RUN_HERE = [
    page for page, found in PAGES.items() if any(_.run and not _.cluster and _.language in SHOWS for _ in found)
]
ON_THE_CLUSTER = [each for found in PAGES.values() for each in found if each.cluster and each.run]


def test_every_block_is_of_a_language_that_is_run_or_says_why_not() -> None:
    for found in PAGES.values():
        for number, block in enumerate(found):
            assert block.language in (*LANGUAGES, "before"), f"{block}: ```{block.language}"
            assert not block.mark.startswith("not run") or len(block.mark) > len("not run: "), f"{block}: no reason"
            if block.language == "text" and block.run:
                shown = [each for each in found[:number] if each.language in SHOWS and each.run]
                assert shown, f"{block}: a text without a block before it that shows it"
                assert shown[-1].cluster == block.cluster, f"{block}: {shown[-1]} is not run where this is compared"


def test_a_line_that_is_not_shown_is_found() -> None:
    assert absent("a…c\nd\n", "abc\nx\nd\n") is None
    assert absent("a…c\nd\n", "d\nabc\n") == "d"
    assert absent("1.5\n", "1x5\n") == "1.5"


@pytest.mark.jobs
@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.name)
def test_here(page: Path, tmp_path: Path) -> None:
    with desk(tmp_path) as found:
        # Pages ask for GPUs as their readers do, and this machine may have none.
        found.right("import os; os.environ['KUBE_MAGICS_CPU_OK'] = 'true'")
        play([each for each in PAGES[page] if each.run and not each.cluster], found)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A user whose namespace has what the pages name."""
    with desk(tmp_path_factory.mktemp("there"), cluster) as found:
        assert found.space is not None
        here = f"--namespace={found.space.name}"
        found.space.admin("create", "secret", "generic", "wandb", "--from-literal=key=0123456789", here)
        with claim(cluster, found.space, "datasets"):
            yield found


@pytest.mark.cluster
def test_there(there: Desk) -> None:
    assert there.space is not None
    play([each for each in ON_THE_CLUSTER if each.language != "yaml"], there)
    for block in ON_THE_CLUSTER:
        if block.language == "yaml":
            there.space.admin("create", "-f", "-", f"--namespace={there.space.name}", input=block.text)


def play(chosen: Sequence[Block], at: Desk) -> None:
    """The blocks of a page, in order, each with what it must show."""
    shown = ""
    for block in chosen:
        if block.language == "text":
            missing = absent(block.text, shown)
            assert missing is None, f"{block}: {missing!r} is not shown:\n{shown}"
        elif block.language == "bash":
            shown = bash(block, at)
        else:
            ran = at.run(block.text)
            assert ran.error == block.raises, f"{block}: {ran}"
            shown = f"{ran.stdout}\n" + "\n".join(ran.values)


def bash(block: Block, at: Desk) -> str:
    names = ("HOME", "KUBE_MAGICS_STATE", "KUBE_MAGICS_CPU_OK")
    environment = {name: at.kernel.value(f"__import__('os').environ[{name!r}]").strip("'") for name in names}
    command = at.folder.parent / "bin" / "kube-magics"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m kube_magics.terminal "$@"\n')
    command.chmod(0o755)
    programs = f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=at.folder,
        env={**os.environ, **environment, "PATH": programs, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    return done.stdout
