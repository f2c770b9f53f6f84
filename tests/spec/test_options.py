"""The option table: each option right, wrong, and corrected by typing what the error says; both doors agree."""

from __future__ import annotations

import ast
import shlex
from contextlib import nullcontext
from dataclasses import fields, replace
from typing import Any

import pytest

from kube_magics.errors import OptionError
from kube_magics.spec.environment import Secret
from kube_magics.spec.job import JobSpec
from kube_magics.spec.marks import Toleration
from kube_magics.spec.options import BY_FIELD, OPTIONS
from kube_magics.spec.parse import checked, parse, split_known
from kube_magics.spec.volumes import Volume, keeps

RIGHT: dict[str, list[tuple[str, Any]]] = {
    "gpus": [("--gpus 2", 2), ("--gpus=0", 0)],
    "gpu_resource": [
        ("--gpu-resource nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb"),
        ("--gpu_resource amd.com/gpu", "amd.com/gpu"),
        ("", "nvidia.com/gpu"),
    ],
    "cpus": [("--cpus 4", "4"), ("--cpus 500m", "500m"), ("--cpus 0.5", "0.5")],
    "memory": [("--memory 16Gi", "16Gi"), ("--memory 512M", "512M")],
    "image": [("--image team/torch:2.6", "team/torch:2.6")],
    "name": [("--name digits-svm", "digits-svm")],
    "returns": [("--returns model,score", ("model", "score")), ("--returns 'model, score'", ("model", "score"))],
    "namespace": [("--namespace team-a", "team-a"), ("-n team-a", "team-a")],
    "context": [("--context 'my lab'", "my lab")],
    "backend": [("--backend local", "local"), ("--backend kubernetes", "kubernetes")],
    "dry_run": [("--dry-run", True), ("--dry-run=true", True), ("--dry-run=no", False), ("", False)],
    "timeout": [("--timeout 90", 90), ("--timeout 2h30m", 9000), ("--timeout 1d", 86400)],
    "python": [("--python /opt/conda/bin/python", "/opt/conda/bin/python")],
    "shm": [("--shm", ""), ("--shm 8Gi", "8Gi"), ("", None)],
    "read_only_root": [("--read-only-root", True)],
    "cpu_ok": [("--cpu-ok", True)],
    "capture": [("--capture a --capture b,c", ("a", "b", "c"))],
    "env": [("--env A=1 --env 'B=x y=z'", (("A", "1"), ("B", "x y=z"))), ("--env A=", (("A", ""),))],
    "secret": [
        ("--secret wandb", (Secret("wandb"),)),
        ("--secret s3:aws.key=AWS_KEY --secret s3:id", (Secret("s3", "aws.key", "AWS_KEY"), Secret("s3", "id", "id"))),
    ],
    "pip": [("--pip none", "none"), ('--pip "torch==2.6 tqdm"', "torch==2.6 tqdm"), ("", "auto")],
    "requirements": [("--requirements r.txt", "r.txt"), ("-r 'my file.txt'", "my file.txt")],
    "cache": [("--cache packages", "packages")],
    "files": [("--files data/*.csv,a.py --files b", ("data/*.csv", "a.py", "b"))],
    "volume": [
        ("--volume d:/data --volume e:/x/:ro", (Volume("d", "/data"), Volume("e", "/x", read_only=True))),
    ],
    "artifacts": [
        ("--artifacts s3://b/f", "s3://b/f"),
        ("--artifacts /mnt/x", "/mnt/x"),
        (
            "--artifacts abfs://container@account.dfs.core.windows.net/f",
            "abfs://container@account.dfs.core.windows.net/f",
        ),
        ("--artifacts sftp://me@host/f", "sftp://me@host/f"),
    ],
    "returns_files": [("--returns-files '*.pt'", ("*.pt",))],
    "log_to": [("--log-to /data/logs/", "/data/logs/"), ("--log-to //data/./run.log", "/data/run.log")],
    "detach": [("--detach", True), ("", False)],
    "debug": [("--debug", True), ("", False)],
    "retries": [("--retries 3", 3), ("", 0)],
    "grace": [("--grace 5m", 300), ("", None)],
    "ttl": [("--ttl 12h", 43200), ("", None)],
    "image_pull_secret": [("--image-pull-secret a,b --image-pull-secret c.d", ("a", "b", "c.d"))],
    "workdir": [("--workdir /data/run/", "/data/run")],
    "run_as": [("--run-as 0", "0"), ("--run-as image", "image"), ("", None)],
    "queue": [("--queue team-a", "team-a")],
    "priority": [("--priority high", "high")],
    "service_account": [("--service-account trainer", "trainer")],
    "node_selector": [
        ("--node-selector gpu=a100,kubernetes.io/arch=amd64", (("gpu", "a100"), ("kubernetes.io/arch", "amd64"))),
        ("--node-selector spot=", (("spot", ""),)),
    ],
    "toleration": [
        ("--toleration spot", (Toleration("spot"),)),
        (
            "--toleration a.b/c=d:NoSchedule --toleration e=:NoExecute --toleration f:PreferNoSchedule",
            (
                Toleration("a.b/c", "d", "NoSchedule"),
                Toleration("e", "", "NoExecute"),
                Toleration("f", None, "PreferNoSchedule"),
            ),
        ),
    ],
    "labels": [
        (
            "--labels team=vision,app.kubernetes.io/part-of=x --labels a=",
            (("team", "vision"), ("app.kubernetes.io/part-of", "x"), ("a", "")),
        ),
    ],
    "annotations": [("--annotations 'a/b=c, d=e' --annotations f=", (("a/b", "c, d=e"), ("f", "")))],
    "new": [("--new", True), ("", False)],
}
WRONG: dict[str, list[str]] = {
    "gpus": ["two", "-1", "1.5", "1000000", ""],
    "cpus": ["0", "0,0", "9999,5", "1,5", "4 cores", "5000", "0.0001", "", "1,x", "-2"],
    "memory": ["16GB", "2 gb", "1,5Gi", "16", "0", "500k", "1023Ki", "100m", "lots", "", "0GB", "1kb"],
    "image": ["", " "],
    "name": ["Digits SVM", "x" * 60, "-a", ""],
    "returns": ["model,model", "1x", "class", "a b", ",", ""],
    "namespace": [""],
    "context": [""],
    "backend": ["slurm", ""],
    "timeout": ["soon", "0", "2 h", "99999999d", "1.5h", "", "0s"],
    "python": [""],
    "shm": ["8GB", "lots"],
    "capture": ["a b", "1x", ""],
    "env": ["A", "1A=2", "=x", "", "KUBE_MAGICS_EVENTS=x", "a b=c"],
    "secret": ["", "My Secret", "s3:", "s3:a b=C", "s3:key=1X", "s3:key=KUBE_MAGICS_STOP"],
    "pip": ["", "--index-url=x", "auto torch", "none auto"],
    "requirements": ["", " "],
    "cache": ["", "My Claim", "a/b"],
    "files": ["", ","],
    "volume": [
        "",
        "claim",
        "claim:data",
        "claim:/data:rx",
        "My Claim:/data",
        "claim:/tmp",
        "claim:/",
        "claim:/kube-magics/cache",
        "claim://tmp",
    ],
    "artifacts": ["", "bucket", "s3:/x", "S3://x"],
    "returns_files": ["", ","],
    "log_to": ["", "logs/", "/data/../x"],
    "gpu_resource": ["", "gpu", "a100", "AMD GPU", "nvidia.com/"],
    "retries": ["", "-1", "1.5", "101", "many"],
    "grace": ["", "0", "2d", "soon"],
    "ttl": ["", "0", "a week"],
    "image_pull_secret": ["", "My Secret", "a,,b", "a/b"],
    "workdir": ["", "data", "~/x", "../x", "/data/../x"],
    "run_as": ["", "root", "me", "-1", "1.5", "99999999999"],
    "queue": ["", "Team A"],
    "priority": ["", "High!"],
    "service_account": ["", "system:admin"],
    "node_selector": ["", "gpu", "=a100", "gpu=a 100", "a/b/c=d", "gpu=" + "x" * 64],
    "toleration": ["", "=x", "a b", "key:Never", "key:noschedule", "a=b c:NoSchedule"],
    "labels": [
        "",
        "team",
        "team=a b",
        "Team Name=x",
        "kube-magics.dev/job=x",
        "job-name=x",
        "team=" + "x" * 64,
        "batch.kubernetes.io/x=y",
    ],
    "annotations": ["", "a", "a b=c", "kube-magics.dev/cell=x"],
}


def line(text: str) -> dict[str, Any]:
    return parse(shlex.split(text))


def typed_back(hint: str | None) -> str:
    """What of a hint is to be typed: all before the remark in brackets."""
    assert hint is not None
    return hint.split("   (")[0]


def test_table_fields_and_tests_are_the_same_names() -> None:
    names = [option.field for option in OPTIONS]
    assert [*names, "given"] == [field.name for field in fields(JobSpec)]
    assert {option.field: option.default for option in OPTIONS} | {"given": frozenset()} == vars(JobSpec())
    assert set(names) == set(RIGHT)
    assert set(WRONG) == {option.field for option in OPTIONS if option.read is not None}


@pytest.mark.parametrize(("text", "field", "value"), [(t, f, v) for f, cases in RIGHT.items() for t, v in cases])
def test_right(text: str, field: str, value: Any) -> None:
    found = line(text)
    assert found == ({field: value} if text else {})
    assert JobSpec.of(found) == replace(JobSpec(), **{field: value}, given=frozenset(found))


@pytest.mark.parametrize(("field", "text"), [(field, text) for field, texts in WRONG.items() for text in texts])
def test_wrong_names_the_option_and_the_hint_typed_back_is_right(field: str, text: str) -> None:
    name = f"--{BY_FIELD[field].name}"
    with pytest.raises(OptionError) as caught:
        parse([f"{name}={text}"])
    assert name in caught.value.message
    corrected = typed_back(caught.value.hint)
    assert corrected.startswith(f"{name} ")
    assert line(corrected)[field]


def test_two_volumes_have_two_paths() -> None:
    assert len(line("--volume a:/a --volume a:/b:ro --volume b:/a/b")["volume"]) == 3
    with pytest.raises(OptionError, match="/data twice: for a and b") as caught:
        line("--volume a:/data --volume b:/data/")
    assert line(f"--volume a:/data {typed_back(caught.value.hint)}")["volume"]


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.read and option.bare is None])
def test_without_its_value_an_option_shows_an_example_that_works(option: Any) -> None:
    with pytest.raises(OptionError, match=f"--{option.name} needs a value") as caught:
        parse([f"--{option.name}"])
    assert line(typed_back(caught.value.hint))[option.field] is not None


def test_every_example_is_right() -> None:
    for option in OPTIONS:
        assert line(option.example)[option.field] not in (None, option.default)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        *[("--gpu 2", "--gpus"), ("--time 2h", "--timeout"), ("--mem=2Gi", "--memory"), ("--dryrun", "--dry-run")],
        *[("--nproc_per_node 2", "--gpus"), ("--pvc x:/y", "--volume"), ("--sa x", "--service-account")],
        *[("--tolerations x", "--toleration"), ("--Label a=b", "--labels"), ("--priorityclass x", "--priority")],
    ],
)
def test_an_unknown_option_names_the_nearest(text: str, near: str) -> None:
    with pytest.raises(OptionError, match="has no option") as caught:
        line(text)
    assert typed_back(caught.value.hint) == near


def test_nothing_is_abbreviated_and_no_word_is_passed_over() -> None:
    for text in ("--gp 1", "2", "-g 2", "--nonsense", "-- --gpus 1", "--detach 1", "--detach=maybe"):
        with pytest.raises(OptionError):
            line(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("--detach false", "--detach=false"),
        ("--gpus 1 --read-only-root True", "--read-only-root=True"),
        ("--shm 0", "--shm 8Gi"),
        ("--cpu-ok later", "%%kubetrain? shows all options"),
    ],
)
def test_the_word_behind_a_flag_stands_behind_an_equals_sign(text: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        line(text)
    assert caught.value.hint == hint


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.flag and option.bare is None])
def test_no_text_is_no_value(option: Any) -> None:
    with pytest.raises(OptionError, match=rf"^--{option.name} needs a value\.\n") as caught:
        line(f"--{option.name}=")
    assert caught.value.hint == option.example
    with pytest.raises(OptionError, match=rf"^{option.field} needs a value\.\n") as caught:
        checked({option.field: ""})
    assert str(caught.value.hint).startswith(f"{option.field}=")


def test_of_a_long_wrong_value_the_beginning_is_shown() -> None:
    with pytest.raises(OptionError) as caught:
        line(f"--name {'n' * 100_000}")
    assert len(str(caught.value)) < 400


def test_names_of_several_returns_add_up() -> None:
    """The last one alone would lose what the others name."""
    assert line("--returns model --returns score,model")["returns"] == ("model", "score")


def test_names_of_returns_with_blanks_between_them() -> None:
    with pytest.raises(OptionError) as caught:
        line("--returns model, score")
    assert line(typed_back(caught.value.hint))["returns"] == ("model", "score")


@pytest.mark.parametrize(("text", "field", "value"), [(t, f, v) for f, cases in RIGHT.items() for t, v in cases if t])
def test_the_python_door_agrees_with_the_line(text: str, field: str, value: Any) -> None:
    assert checked({field: value}) == line(text)


def test_the_python_door_takes_python_values() -> None:
    assert checked({"returns": ["a", "b"], "gpus": 2, "memory": None, "timeout": 90}) == line(
        "--returns a,b --gpus 2 --timeout 90"
    )
    assert checked({"env": {"A": 1}, "labels": {"team": "x"}, "volume": "a:/b"}) == line(
        "--env A=1 --labels team=x --volume a:/b"
    )
    assert checked({"detach": False, "new": "yes"}) == {"detach": False, "new": True}
    assert checked({}) == line("")


@pytest.mark.parametrize(
    "url",
    [
        "https://a1b2c3d4@host/f",
        "webhdfs+https://t0ken@host/f",
        "https://me:x@host/f",
        "s3://key:secret@bucket/f",
        "simplecache::s3://key:secret@bucket/f",
        f"sftp://ghp_{'a1' * 18}@host/f",
        "az://container/f?sig=abc",
    ],
)
def test_the_url_of_a_store_holds_no_credential(url: str) -> None:
    with pytest.raises(OptionError, match="holds credentials") as caught:
        line(f"--artifacts '{url}'")
    assert "--secret" in str(caught.value.hint)


@pytest.mark.parametrize(
    "given",
    [
        *[
            {"gpus": "two"},
            {"gpus": True},
            {"memory": 16},
            {"returns": [1]},
            {"timeout": 0},
            {"new": 2},
            {"env": ["A"]},
        ],
        *[{"name": "My Job"}, {"secret": "a b"}, {"volume": "data"}, {"pip": "none torch"}, {"retries": -1}],
        *[{"returns_files": "/etc/x"}, {"toleration": "a:x"}, {"backend": "slurm"}, {"labels": {"a b": 1}}],
    ],
    ids=lambda given: next(iter(given)),
)
def test_the_python_door_names_the_keyword_and_what_to_type_is_python(given: dict[str, Any]) -> None:
    (field,) = given
    with pytest.raises(OptionError) as caught:
        checked(given)
    assert f"{field}=" in caught.value.message
    call = ast.parse(f"f({typed_back(caught.value.hint)})", mode="eval").body
    assert isinstance(call, ast.Call)
    checked({str(each.arg): ast.literal_eval(each.value) for each in call.keywords})


def test_an_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(OptionError) as caught:
        checked({"gpu": 1})
    assert typed_back(caught.value.hint) == "gpus"


def test_split_known() -> None:
    known = ("namespace", "context", "backend")
    assert split_known([], known, "%kube jobs") == ({}, [])
    assert split_known(["x", "--namespace", "a", "y", "--context=b=c", "k=v"], known, "%kube logs") == (
        {"namespace": "a", "context": "b=c"},
        ["x", "y", "k=v"],
    )


@pytest.mark.parametrize(
    "words", [["--gpus", "1"], ["--namespace"], ["--backend", "x"], ["--dry-run"], ["-n"], ["-f", "a"]]
)
def test_split_known_refuses_the_rest(words: list[str]) -> None:
    with pytest.raises(OptionError):
        split_known(words, ("namespace", "context", "backend"), "%kube logs")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("--log-to /logs/x", "--log-to /data/logs/x"),
        ("--volume v:/data --log-to /database/x", "--log-to /data/"),
        ("--volume v:/data:ro --log-to /data/x", "--volume v:/data"),
        ("--volume v:/data --volume w:/data/in:ro --log-to /data/in/x", "--volume w:/data/in"),
        ("--volume v:/data:ro --volume w:/data/out --log-to /data/out/", None),
    ],
)
def test_a_log_is_kept_where_it_outlives_the_pod(text: str, hint: str | None) -> None:
    spec = JobSpec.of(line(text))
    with pytest.raises(OptionError) if hint else nullcontext() as raised:
        keeps(spec.volume, spec.log_to or "")
    assert not hint or typed_back(raised.value.hint) == hint
