"""`--pip`, `-r` and `--cache` as a user types them, against an index of our own that pods can reach."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.acceptance.desk import Desk, admin_of, next_lines
from tests.cluster import Cluster
from tests.cluster.claims import claim
from tests.cluster.settings import own_address
from tests.packages.index import Distribution, Index, serving

pytestmark = pytest.mark.jobs

SAYS = Distribution("km-says", modules={"km_says.py": "def main():\n    print('said')\n"})


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def url(index: Index) -> str:
    return f"--env PIP_INDEX_URL={index.url(own_address())} --env PIP_CONFIG_FILE=/dev/null"


def installed_here(desk: Desk, found: Distribution) -> None:
    """In the notebook's own Python, as far as that can see."""
    site = desk.folder / "site-packages"
    site.mkdir(exist_ok=True)
    wheel = desk.folder / found.filename
    wheel.write_bytes(found.data())
    shutil.unpack_archive(wheel, site, "zip")
    desk.right(f"import sys\nif {str(site)!r} not in sys.path:\n    sys.path.append({str(site)!r})\nimport km_says")


def test_here_what_is_asked_for_stands_in_front_for_this_job_alone(here: Desk, url: str) -> None:
    ran = here.right(
        f'%%kubetrain {url} --pip "km-plain==1.0 km-needs" --returns seen\nimport km_plain\nseen = km_plain.version'
    )
    assert "installing km-plain 1.0, km-needs (" in ran.stderr
    assert here.kernel.value("seen") == "'1.0'"
    assert here.run("import km_plain").error == "ModuleNotFoundError"


def test_here_a_requirements_file_is_read_where_the_notebook_is(here: Desk, url: str) -> None:
    (here.folder / "more.txt").write_text("-c limits.txt\nkm-plain  # any\n")
    (here.folder / "limits.txt").write_text("km-plain<2\n")
    ran = here.right(f"%%kubetrain {url} -r more.txt\nimport km_plain\nprint(km_plain.version)")
    assert "1.0\n" in ran.stdout
    (here.folder / "more.txt").write_text("-e .\n")
    ran = here.run("%%kubetrain -r more.txt\nprint(1)")
    assert ran.error == "OptionError"
    assert "more.txt, line 1: '-e .'" in ran.message


def test_here_what_cannot_be_installed_is_an_error_of_its_own(here: Desk, url: str) -> None:
    ran = here.run(f"%%kubetrain {url} --pip km-plain==7\nprint('ran')")
    assert ran.error == "InstallFailed", ran
    assert "the package index has no km-plain==7" in ran.message
    assert "km-plain==7" in ran.traceback.partition("said: ")[2]
    assert "--pip km-plain" in next_lines(ran)
    assert "ran" not in ran.stdout


@pytest.mark.cluster
@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_what_the_image_lacks_is_installed_as_the_notebook_has_it(
    there: Desk, cluster: Cluster, url: str, tool: str
) -> None:
    installed_here(there, SAYS)
    image = cluster.ensure_image(tool)
    source = "import numpy, km_says\nkm_says.main()\nprint('numpy' in numpy.__file__, '/packages' in numpy.__file__)"
    ran = there.right(f"%%kubetrain --cpus 100m --image {image} {url} --pip auto\n{source}")
    assert f"installing km-says 1.0 ({tool})\n" in ran.stderr
    assert "said\nTrue False\n" in ran.stdout
    (there.folder / "says.txt").write_text("km-says  # of the notebook's folder\n")
    asked = "--pip km-says" if tool == "pip" else "-r says.txt"
    ran = there.right(
        f"%%kubetrain --cpus 100m --image {image} {url} {asked} --returns said\n"
        "import subprocess\nsaid = subprocess.check_output('km-say', text=True)"
    )
    assert there.kernel.value("said") == r"'said\n'"


@pytest.mark.cluster
def test_an_image_without_an_installer_lacks_what_it_lacks(there: Desk, url: str) -> None:
    installed_here(there, SAYS)
    ran = there.run(f"%%kubetrain --cpus 100m {url}\nimport km_says")
    assert ran.error == "ImportMissing", ran
    assert "this image lacks km-says (1.0 in the notebook), and has neither pip nor uv" in ran.message
    ran = there.run(f"%%kubetrain --cpus 100m {url} --pip km-plain\nprint(1)")
    assert ran.error == "InstallFailed", ran
    assert "--image with pip or uv in it" in next_lines(ran)


@pytest.mark.cluster
def test_an_index_that_pods_do_not_reach_is_told(there: Desk, cluster: Cluster) -> None:
    image = cluster.ensure_image("uv")
    nowhere = "--env PIP_INDEX_URL=http://127.0.0.1:9/simple --env UV_HTTP_RETRIES=0"
    ran = there.run(f"%%kubetrain --cpus 100m --image {image} {nowhere} --pip km-says\nprint(1)")
    assert ran.error == "InstallFailed", ran
    assert "no package index could be reached" in ran.message
    assert "--env PIP_INDEX_URL=" in next_lines(ran)


@pytest.mark.cluster
def test_a_cache_spares_the_next_job_the_installation(there: Desk, cluster: Cluster, url: str, index: Index) -> None:
    space = admin_of(there)
    source = "import km_plain, subprocess\nprint(km_plain.version, subprocess.check_output('km-say', text=True))"
    with claim(cluster, space, "packages") as name:
        line = f"%%kubetrain --cpus 100m --image {cluster.ensure_image('uv')} {url} --pip 'km-plain==2.0 km-says' --cache {name}"
        first = there.right(f"{line}\n{source}")
        asked = len(index.asked)
        second = there.right(f"{line}\n{source}")
    assert "installing km-plain 2.0, km-says (uv)\n" in first.stderr
    assert "from the cache: km-plain 2.0, km-says\n" in second.stderr
    assert "2.0 said\n" in first.stdout
    assert "2.0 said\n" in second.stdout
    assert len(index.asked) == asked


@pytest.mark.cluster
def test_a_cache_that_cannot_be_written_to_is_no_hindrance(there: Desk, cluster: Cluster, url: str) -> None:
    with claim(cluster, admin_of(there), "locked", mode="555") as name:
        ran = there.right(
            f"%%kubetrain --cpus 100m --image {cluster.ensure_image('uv')} {url} --pip km-says --cache {name}\nimport km_says"
        )
    assert "the cache cannot be written to (Permission denied)" in ran.stderr


@pytest.mark.cluster
@pytest.mark.long
def test_how_much_a_cached_start_takes(there: Desk, cluster: Cluster, url: str) -> None:
    """How much is said, not asserted: the machine is shared."""
    with claim(cluster, admin_of(there), "timed") as name:
        line = f"%%kubetrain --cpus 100m --image {cluster.ensure_image('uv')} {url}"
        took: dict[str, list[float]] = {"none": [], "cache": []}
        there.right(f"{line} --pip km-says --cache {name}\nimport km_says")
        for _ in range(3):
            for kind, more in (("none", "--pip none"), ("cache", f"--pip km-says --cache {name}")):
                ran = there.right(f"{line} {more}\nprint('begun')")
                assert ("from the cache: km-says" in ran.stderr) == (kind == "cache")
                took[kind].append(next(at for at, text in ran.arrivals if "begun" in text))
    print({kind: sorted(found)[1] for kind, found in took.items()})


@pytest.mark.cluster
def test_another_version_of_a_captured_values_library_is_said(there: Desk, cluster: Cluster) -> None:
    """Python 3.13 and an older numpy there, 3.11 and the newest here."""
    there.right("import numpy\nX = numpy.arange(3)")
    line = f"%%kubetrain --cpus 100m --image {cluster.ensure_image('torch')} --returns total"
    ran = there.right(f"{line}\ntotal = int(X.sum())")
    here = there.kernel.value("numpy.__version__").strip("'")
    assert f"captured values: numpy is {here} in the notebook and " in ran.stderr
    assert there.kernel.value("total") == "3"
