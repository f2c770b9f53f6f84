"""People at a hub of one machine: a real one, with real servers, kernels and jobs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.acceptance.desk import eventually
from tests.hub.accounts import PASSWORD, accounts, why_not
from tests.hub.running import Hub, hub
from tests.hub.visitor import Notebook, Turned, Visitor

pytestmark = pytest.mark.jobs
if importlib.util.find_spec("jupyterhub") is None:
    pytest.skip("not installed: jupyterhub (make hub brings it)", allow_module_level=True)

ADA, BOB = "hub-ada", "hub-bob"
QUICKSTART = "kube_magics-notebooks/quickstart.ipynb"
TRAINED = "score = accuracy(model, X_test, y_test)"
"""The last line of the quickstart's job."""


@pytest.fixture
def exits() -> Iterator[ExitStack]:
    """What a test opens is closed at its end."""
    with ExitStack() as stack:
        yield stack


@dataclass(frozen=True)
class Place:
    hub: Hub
    homes: Path
    system_users: bool


@pytest.fixture(scope="module", params=["system users", pytest.param("one account", marks=pytest.mark.long)])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    state = tmp_path_factory.mktemp("hub") / "state"
    with ExitStack() as exits:
        if request.param == "one account":
            running = exits.enter_context(hub(state, path="/nowhere"))
            assert "The proxy is the one in Python: node and npm not found." in running.text
            yield Place(running, state / "homes", system_users=False)
            return
        if reason := why_not():
            pytest.skip(reason)
        made = exits.enter_context(accounts(ADA, BOB))
        yield Place(
            exits.enter_context(hub(state, "--system-users", within=made.within)), made.homes, system_users=True
        )


TRAINS = """%%kubetrain --name train-on --detach
import os, time
while not os.path.exists("go"):
    time.sleep(0.1)
print("trained")"""


def work(visitor: Visitor) -> Notebook:
    """From the login to a trained model: the quickstart up to its job, with nothing loaded by hand."""
    visitor.start()
    notebook = visitor.notebook(QUICKSTART)
    for cell in visitor.cells(QUICKSTART):
        if cell.startswith("%load_ext"):
            continue
        ran = notebook.run(cell)
        assert ran.error is None, f"{cell}\n{ran}"
        if TRAINED in cell:
            return notebook
    raise AssertionError(f"{QUICKSTART} has no cell with {TRAINED}")


def test_who_is_not_let_in(place: Place, exits: ExitStack) -> None:
    for name, password in [(ADA, "wrong-password"), (ADA, ""), ("..", place.hub.password), ("a/b", place.hub.password)]:
        with pytest.raises(Turned, match="403"):
            exits.enter_context(place.hub.visitor(name)).log_in(password)
    if place.system_users:
        # The password is right, and the account is there.
        for name in ("root", "daemon"):
            with pytest.raises(Turned, match="403"):
                exits.enter_context(place.hub.visitor(name)).log_in(place.hub.password)
    else:
        with pytest.raises(Turned, match="403"):
            exits.enter_context(place.hub.visitor("admin")).log_in(place.hub.password)
        exits.enter_context(place.hub.visitor("admin")).log_in(place.hub.admin_password)


def test_two_people_each_with_their_own_jobs_and_files(place: Place, exits: ExitStack) -> None:
    people = [exits.enter_context(place.hub.visitor(name)).log_in(place.hub.password) for name in (ADA, BOB)]
    with ThreadPoolExecutor() as threads:
        ada, bob = threads.map(work, people)

    # Each has the value of their own job, and sees no other.
    for notebook in (ada, bob):
        assert notebook.run("assert score > 0.9").error is None
    listed = [json.loads(notebook.run("%kube jobs --json").text)["rows"] for notebook in (ada, bob)]
    (hers,), (his,) = [[row["name"] for row in rows] for rows in listed]
    assert hers.startswith("quickstart-")
    assert his.startswith("quickstart-")
    assert hers != his
    assert bob.run(f"%kube logs {hers}").error == "NotFound"

    # Nor her files, by her server's door or by his own.
    assert people[1].get(f"/user/{BOB}/api/contents").status_code == 200
    assert people[1].get(f"/user/{ADA}/api/contents").status_code in (403, 404)
    home = bob.run("import os; print(sorted(os.listdir()), os.path.expanduser('~'))").text
    assert home.split()[-1] == str(place.homes / BOB)
    assert ADA not in home

    # Nor what her cells print, on their way over loopback.
    encrypted = "from ipykernel.connect import get_connection_info as info\nassert info(unpack=True)['curve_publickey']"
    assert ada.run(encrypted).error is None

    # What the system keeps apart, it keeps apart only between accounts.
    pid = ada.run("import os; os.getppid()").text.strip()
    of_the_hub = [place.hub.state / name for name in ("passwords.json", "jupyterhub.sqlite", "cookie_secret")]
    assert all(file.is_file() for file in of_the_hub)
    refusal = "PermissionError" if place.system_users else None
    for file in of_the_hub:
        attempt = f"open({str(file)!r}).close()"
        assert [each.run(attempt).error for each in (ada, bob)] == [refusal, refusal], attempt
    for attempt in (
        f"open({str(place.homes / ADA / QUICKSTART)!r}).close()",
        f"open('/proc/{pid}/environ').close()",  # her server's token
        f"import os; os.kill({pid}, 0)",
    ):
        assert [each.run(attempt).error for each in (ada, bob)] == [None, refusal], attempt


def test_a_hub_that_is_killed_is_no_trouble_for_the_next_one(tmp_path: Path, exits: ExitStack) -> None:
    with hub(tmp_path / "state") as first:
        ada = exits.enter_context(first.visitor(ADA)).log_in(first.password)
        ada.start()
        # The first cell of a notebook that nobody has touched.
        notebook = ada.notebook("Untitled.ipynb")
        ran = notebook.run("%%kubetrain --returns answer\nanswer = 6 * 7\nprint('trained')")
        assert (ran.error, "trained" in ran.text) == (None, True)
        alive = first.everything()
        first.kill()
        # Neither proxy nor server has noticed.
        assert notebook.run("print(answer)").text == "42\n"

    port = int(first.address.rpartition(":")[2])
    with hub(tmp_path / "state", port=port) as second:
        assert "Ended what a hub that had died had left: " in second.text
        assert first.password not in second.text
        assert ada.is_there()
        (kernel,) = ada.get("/api/kernels").json()
        assert ada.connect(kernel["id"]).run("print(answer)").text == "42\n"
        assert second.end() == 0
    # The kernel of a server that was taken up notices within a second or so that it is gone.
    assert not psutil.wait_procs(alive, timeout=60)[1]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_job_outlives_the_server_that_nobody_uses(tmp_path: Path, exits: ExitStack) -> None:
    running = exits.enter_context(hub(tmp_path / "state", "--cull-after", "10"))
    ada = exits.enter_context(running.visitor(ADA)).log_in(running.password)
    ada.start()
    ran = ada.notebook("train.ipynb").run(TRAINS)
    assert ran.error is None, ran
    ada.close()
    eventually(lambda: "Culling server" in running.log(), "the culler", 120)
    # Until then a page says that it is being stopped.
    eventually(lambda: ada.get("/lab").status_code == 424, "the end of the server", 60)

    # What it waits for comes only now, and it goes on.
    (tmp_path / "state" / "homes" / ADA / "go").touch()
    ada.start()
    ran = ada.notebook("train.ipynb").run("%kube attach train-on")
    assert (ran.error, "trained" in ran.text) == (None, True), ran


@pytest.mark.long
def test_accounts_with_their_own_passwords(tmp_path: Path, exits: ExitStack) -> None:
    if reason := why_not():
        pytest.skip(reason)
    within = exits.enter_context(accounts(ADA, BOB)).within
    running = exits.enter_context(
        hub(tmp_path / "state", "--system-users", "--login", "pam", "--user", ADA, within=within)
    )
    assert "password" not in running.text.replace("its password", "")
    for name, password in [(ADA, "wrong-password"), (BOB, PASSWORD), ("root", PASSWORD)]:
        with pytest.raises(Turned, match="403"):
            exits.enter_context(running.visitor(name)).log_in(password)
    exits.enter_context(running.visitor(ADA)).log_in(PASSWORD)


@pytest.mark.long
def test_with_tls(tmp_path: Path, exits: ExitStack) -> None:
    files = [str(tmp_path / name) for name in ("key.pem", "cert.pem")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", files[0], "-out", files[1]]
    subprocess.run(made, check=True, capture_output=True)
    tls = ("--tls-key", files[0], "--tls-cert", files[1], "--host", "0.0.0.0")
    running = exits.enter_context(hub(tmp_path / "state", *tls))
    address = running.address.replace("THIS-MACHINE", "127.0.0.1")
    assert address.startswith("https://")
    ada = exits.enter_context(Visitor(address, ADA))
    ada.web.verify = files[1]
    ada.log_in(running.password).start()
    cookies = [each for each in ada.web.cookies if each.name.startswith("jupyterhub-")]
    assert cookies
    assert all(each.secure for each in cookies)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_twenty_people_at_once(tmp_path: Path, exits: ExitStack) -> None:
    running = exits.enter_context(hub(tmp_path / "state"))
    people = [exits.enter_context(running.visitor(f"user-{number}")) for number in range(20)]
    alone = exits.enter_context(running.visitor("first")).log_in(running.password).start()
    with ThreadPoolExecutor(20) as threads:
        took = sorted(threads.map(lambda each: each.log_in(running.password).start(), people))
    print(
        f"\nlogin to JupyterLab: one person {alone:.1f} s; of twenty at once {took[10]:.1f} s, the last {took[-1]:.1f} s"
    )
    for line in costs(running):
        print(line)
    assert len({each.notebook("Untitled.ipynb").run("import os; os.getcwd()").text for each in people}) == 20


def costs(running: Hub) -> list[str]:
    """A line for each kind of process: memory as `ps` has it, and with what they share counted once among them."""
    kinds = {"jupyterhub.singleuser": "server", "jupyterhub_idle_culler": "culler", "configurable-http-proxy": "proxy"}
    found: dict[str, list[psutil.Process]] = {"hub": [psutil.Process(running.pid)]}
    for each in found["hub"][0].children():
        kind = next(name for part, name in kinds.items() if part in " ".join(each.cmdline()))
        found.setdefault(kind, []).append(each)
    return [f"{len(all_)} {kind}: {_costs(all_)}" for kind, all_ in found.items()]


def _costs(processes: list[psutil.Process]) -> str:
    each = [process.memory_full_info() for process in processes]
    rss, pss = (sum(sizes) / len(sizes) / 2**20 for sizes in ([m.rss for m in each], [m.pss for m in each]))
    cpu_s = sum(sum(process.cpu_times()[:2]) for process in processes) / len(processes)
    return f"RSS {rss:.0f} MB, PSS {pss:.0f} MB, CPU time {cpu_s:.1f} s each"
