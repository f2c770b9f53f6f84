"""`--artifacts` between this notebook and pods: an S3-compatible server, and a volume that both sides have mounted."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.desk import Desk, admin_of, eventually
from tests.cluster import Cluster
from tests.cluster.claims import claim
from tests.s3 import Server, server

pytestmark = pytest.mark.cluster

LARGE = "import numpy as np\nblock = np.arange(3_000_000.0)"
CELL = (
    "doubled, small = block * 2, 1\nopen('model.pt', 'wb').write(b'1' * 3_000_000)\n"
    "open('notes.txt', 'w').write('lost')\nopen('conf.json', 'w').write('{}')"
)


@pytest.fixture(scope="module")
def s3(there: Desk) -> Iterator[Server]:
    with server() as found:
        keys = {name: base64.b64encode(value.encode()).decode() for name, value in found.credentials.items()}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s3", "namespace": admin_of(there).name},
            "data": keys,
        }
        admin_of(there).admin.apply(secret)
        there.right(f"import os\nos.environ.update({found.environment!r})")
        yield found


def there_and_back(there: Desk, options: str, url: str) -> None:
    there.right(LARGE)
    ran = there.right(
        f"%%kubetrain --cpus 100m --artifacts {url} {options} --returns doubled,small --returns-files *.pt,*.json\n{CELL}"
    )
    assert "back: doubled, small; files: 2 (3.0 MB)" in ran.stdout
    assert "notes.txt (4 B) was written and is lost: --returns-files or --volume" in ran.stdout
    assert there.kernel.value("(bool((doubled == block * 2).all()), small)") == "(True, 1)"
    assert (there.folder / "model.pt").read_bytes() == b"1" * 3_000_000
    assert (there.folder / "conf.json").read_text() == "{}"


def test_through_an_s3_server(there: Desk, cluster: Cluster, s3: Server) -> None:
    options = f"--image {cluster.images.store} --secret s3 --env AWS_ENDPOINT_URL={s3.endpoint}"
    there_and_back(there, options, s3.url)
    kept = "__import__('fsspec').filesystem('s3', use_listings_cache=False).find('artifacts')"
    eventually(lambda: there.kernel.value(kept) == "[]", "an empty bucket")


def test_an_image_without_the_protocols_package(there: Desk, s3: Server) -> None:
    ran = there.run(f"%%kubetrain --cpus 100m --pip none --artifacts {s3.url} --returns x\nx = 1")
    assert ran.error == "JobNotStarted"
    assert "which is not installed" in ran.message
    assert "fsspec s3fs" in ran.message
    there.right("%kube delete " + ran.message.split()[1])


@pytest.fixture
def shared(there: Desk, cluster: Cluster) -> Iterator[tuple[str, Path]]:
    space = admin_of(there)
    with claim(cluster, space, "shared") as name:
        volume = cluster.kubectl.get("pvc", name, f"--namespace={space.name}")["spec"]["volumeName"]
        folder = Path(cluster.kubectl.get("pv", volume)["spec"]["hostPath"]["path"])
        if not folder.is_dir():
            pytest.skip("the node is another machine")
        yield name, folder


def test_through_a_volume_of_both_sides(there: Desk, shared: tuple[str, Path]) -> None:
    name, folder = shared
    there_and_back(there, f"--volume {name}:{folder}", str(folder))
    eventually(lambda: not list(folder.iterdir()), "an empty volume")


def test_a_folder_that_only_the_notebook_has(there: Desk) -> None:
    (there.folder / "store").mkdir()
    ran = there.run(f"%%kubetrain --cpus 100m --artifacts {there.folder}/store --returns x\nx = 1")
    assert ran.error == "JobNotStarted"
    assert "is the volume mounted here, at the same path?" in ran.message
    there.right("%kube delete " + ran.message.split()[1])


def test_without_a_store_the_job_succeeds_and_the_missing_are_named(there: Desk) -> None:
    ran = there.run(
        "%%kubetrain --cpus 100m --returns a,b,small --returns-files *\n"
        "a, b, small = b'1' * 2_000_000, b'2' * 3_000_000, 7\n"
        "open('big.pt', 'wb').write(b'1' * 2_000_000)\nopen('metrics.json', 'w').write('[]')"
    )
    assert ran.error == "ResultTooLarge"
    for text in ("a is 2.0 MB", "b is 3.0 MB", "big.pt (2.0 MB) did not come back", "--artifacts URL"):
        assert text in ran.traceback
    assert there.kernel.value("small") == "7"
    assert (there.folder / "metrics.json").read_text() == "[]"
    assert "done" in ran.stdout


def test_captures_over_the_limit_are_refused_before_anything_is_made(there: Desk) -> None:
    before = there.left()
    there.right(LARGE)
    ran = there.run("%%kubetrain\nprint(block.sum())")
    assert ran.error == "SubmitError"
    assert "block (24.0 MB)" in ran.message
    assert "--artifacts URL" in ran.traceback
    assert there.left() <= before
