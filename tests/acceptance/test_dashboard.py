"""The dashboard of a real cluster, from the kernel's side: a job run again, pods one by one, a job nobody follows."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.desk import Desk, admin_of
from tests.acceptance.test_verbs import kubectl_job
from tests.cluster import Cluster
from tests.widgets.test_in_a_kernel import Page, opened

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

BAR = "import time\nprint(' 75%|#######   | 3/4 [00:03<00:01, 1.0it/s]', flush=True)\ntime.sleep(600)"


def rerun(page: Page, name: str) -> str:
    """The new job's name."""
    asked = page.wish("rerun", name=name, identity=page.rows[name]["identity"])
    found = re.match(rf"(\S+) is submitted: the job {name} once more\.", page.answer(asked))
    assert found, page.told[-1]
    return found[1]


def test_a_job_run_again_has_its_files_and_its_values_come_home(there: Desk) -> None:
    """With files in ConfigMaps, which cannot be another job's."""
    there.right("import os\nwith open('noise', 'wb') as file:\n    size = file.write(os.urandom(200_000))\nbase = 20")
    cell = "n = base + len(open('noise', 'rb').read())"
    there.right(f"%%kubetrain --name first --cpus 100m --files noise --returns n\n{cell}")
    assert there.kernel.value("n") == "200020"
    page = opened(there.kernel)
    page.answer(page.wish("hello"))
    page.sees("first", "succeeded")
    there.right("n, base = 0, 1")
    fresh = rerun(page, "first")
    page.sees(fresh, "succeeded")
    there.right(f"%kube attach {fresh}")
    assert there.kernel.value("n") == "200020", "with what the cell had then"
    there.right("%kube delete first")
    second = rerun(page, fresh)
    assert re.fullmatch(r"first-\w{5}", second), "names do not grow"
    page.sees(second, "succeeded")  # with files of its own: those of the first are gone
    there.right(f"%kube delete {fresh} {second}")


def test_the_pods_of_an_indexed_job_and_what_a_bar_of_kubectls_says(there: Desk, cluster: Cluster) -> None:
    job = kubectl_job("many", cluster.images.quickstart)
    job["spec"] |= {"completions": 2, "parallelism": 2, "completionMode": "Indexed"}
    job["spec"]["template"]["spec"]["containers"][0]["command"] = ["python3", "-u", "-c", BAR]
    admin_of(there).kubectl.apply(job)
    page = opened(there.kernel)
    page.answer(page.wish("hello"))
    page.sees("many", "running")

    def both() -> bool:
        text = page.answer(page.wish("pods", name="many"))
        return (
            re.search(r"many-0-\w+ +0 +Running .*\n +theirs: running for .*\nmany-1-\w+ +1 +Running ", text) is not None
        )

    page.until(both, 90)
    assert page.rows["many"]["progress"] == "", "nobody has asked for its log"
    page.wish("card", name="many")
    page.until(lambda: page.rows["many"]["progress"].startswith("75 % (3 of 4)"))
    page.wish("uncard", name="many")
    page.until(lambda: not page.rows["many"]["progress"])
    there.right("%kube delete many")
