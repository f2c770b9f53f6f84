"""What can be asked of the hub of one machine, and what is refused before it starts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from onemachine.options import Options, Refused, is_loopback, parse, refuse

from tests.architecture.sources import CHECKOUT


def test_without_options_it_is_for_this_machine_only() -> None:
    options = parse([])
    refuse(options, is_root=False)
    assert (options.host, options.url) == ("127.0.0.1", "http://localhost:8000")
    assert (options.hub_port, options.proxy_port) == (8001, 8002)
    assert options.admin == "admin"
    assert Path(options.state).is_absolute()


def test_options_arrive_in_the_configuration_as_they_were() -> None:
    options = parse("--port 9000 --user ada --user bob --admin ada --cull-after 60 --state x".split())
    assert options.users == ("ada", "bob")
    assert Options.decode(options.encode()) == options


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "lab.example", "127.0.0.1.lab.example"])
def test_beyond_loopback_needs_tls_or_a_word(host: str) -> None:
    options = Options(host=host)
    with pytest.raises(
        Refused, match=r"(?s)could read the passwords.*--tls-cert FILE --tls-key FILE, or --without-tls"
    ):
        refuse(options, is_root=False)
    refuse(replace(options, without_tls=True), is_root=False)


def test_beyond_loopback_with_tls(tmp_path: Path) -> None:
    for file in ("cert", "key"):
        (tmp_path / file).write_text("")
    line = ["--host", "0.0.0.0", "--tls-cert", f"{tmp_path}/cert", "--tls-key", f"{tmp_path}/key"]
    options = parse(line)
    refuse(options, is_root=False)
    assert (options.url, options.bind_url) == ("https://THIS-MACHINE:8000", "https://0.0.0.0:8000")
    (tmp_path / "key").unlink()
    with pytest.raises(Refused, match=r"--tls-key \S+/key: no such file"):
        refuse(options, is_root=False)


def test_an_address_of_six_colons_is_in_brackets() -> None:
    assert Options(host="fd00::1").bind_url == "http://[fd00::1]:8000"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--port 0", "--port 0: a number from 1 to 65533"),
        ("--port 65534", "takes the next two"),
        ("--tls-cert x", "both: --tls-cert FILE and --tls-key FILE"),
        ("--system-users", "sudo make hub HUB=--system-users"),
        ("--login pam", "go with --system-users"),
        ("--cull-after -1", "0 for never"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_type(line: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse(parse(line.split()), is_root=False)
    assert words in str(refused.value)


def test_system_users_have_no_administrator_but_a_named_one() -> None:
    options = parse(["--system-users"])
    refuse(options, is_root=True)
    assert options.admin is None
    assert parse(["--system-users", "--admin", "ada"]).admin == "ada"


def test_the_page_lists_the_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    there = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    page = (CHECKOUT / "hub-config" / "README.md").read_text(encoding="utf-8")
    table = page.partition("### Options")[2].partition("\n### ")[0]
    named = {
        option for row in re.findall(r"^\| (`--.*?)\|", table, re.MULTILINE) for option in re.findall(r"--[a-z-]+", row)
    }
    assert named == there
