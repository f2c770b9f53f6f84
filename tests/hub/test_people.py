"""Who may log in to the hub of one machine, where their folder is and what lies in it."""

from __future__ import annotations

import pwd
import re
from pathlib import Path

import pytest
import user_server
from onemachine import people


def account(name: str, uid: int, shell: str = "/bin/bash") -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", shell))


def test_accounts_of_people_and_no_others() -> None:
    found = [
        account("root", 0),
        account("daemon", 1, "/usr/sbin/nologin"),
        account("postgres", 110),
        account("ada", 1000),
        account("bob", 1001, "/bin/zsh"),
        account("robot", 1002, "/bin/false"),
        account("nobody", 65534),
    ]
    assert people.accounts(found) == {"ada", "bob"}


@pytest.mark.parametrize("name", ["ada", "a", "0x", "ada.lovelace", "ada-l_1", "ada@lab.example"])
def test_names(name: str) -> None:
    assert re.match(people.PATTERN, name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".ssh", "../x", "a/b", "a b", "a\n", "Ada", "-x", "a" * 65, "a\0", "ä"]
)
def test_what_is_no_name(name: str) -> None:
    assert not re.match(people.PATTERN, name)


@pytest.mark.parametrize("folder", ["/srv/hub", "/srv/{odd}/hub"])
def test_a_home_for_each_name(folder: str) -> None:
    assert people.homes(Path(folder)).format(username="ada") == f"{folder}/homes/ada"


def test_the_notebooks_are_laid_out_once(tmp_path: Path) -> None:
    user_server.lay_out(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert (folder / "quickstart.ipynb").read_bytes() == (user_server.NOTEBOOKS / "quickstart.ipynb").read_bytes()
    assert sorted(each.name for each in folder.iterdir()) == sorted(
        p.name for p in user_server.NOTEBOOKS.glob("*.ipynb")
    )
    (folder / "quickstart.ipynb").write_text("mine")
    (folder / "mnist_job.ipynb").unlink()
    user_server.lay_out(tmp_path)
    assert (folder / "quickstart.ipynb").read_text() == "mine"
    assert not (folder / "mnist_job.ipynb").exists()
