"""Where values come from, which of them counts, and what a site allows."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics.errors import NotAllowed, OptionError
from kube_magics.spec import limits
from kube_magics.spec.defaults import (
    CONFIG,
    ENVIRONMENT,
    IPYTHON,
    Place,
    from_environment,
    resolved,
    rules,
    unknown_variables,
)
from kube_magics.spec.job import JobSpec
from kube_magics.spec.limits import LIMITS
from kube_magics.spec.options import SETTABLE
from kube_magics.spec.parse import parse


def places(config: dict[str, Any], environment: dict[str, Any], ipython: dict[str, Any]) -> list[Place]:
    return [Place(CONFIG, config), Place(ENVIRONMENT, environment), Place(IPYTHON, ipython)]


def test_the_nearest_place_counts() -> None:
    every = places({"gpus": "3"}, {"gpus": "2", "cpus": "2"}, {"gpus": 1, "cpus": "1", "memory": "1Gi"})
    for at, (gpus, cpus, memory) in enumerate([(3, "2", "1Gi"), (2, "2", "1Gi"), (1, "1", "1Gi"), (0, None, None)]):
        found = resolved({}, every[at:])
        assert (found.gpus, found.cpus, found.memory) == (gpus, cpus, memory)
    typed = resolved(parse(["--gpus", "0"]), every)
    assert (typed.gpus, typed.cpus, typed.given) == (0, "2", {"gpus"})


def test_what_may_be_given_often_adds_up_and_of_the_same_thing_the_nearest_counts() -> None:
    every = places({"env": "A=config B=config"}, {"env": "B=environment C=environment"}, {"env": {"C": 1, "D": 2}})
    found = resolved(parse(["--env", "A=line", "--env", "E=line"]), every)
    assert dict(found.env) == {"A": "line", "B": "config", "C": "environment", "D": "2", "E": "line"}
    assert len(found.env) == 5
    every = places({"volume": "a:/x b:/y"}, {"labels": "team=a,part=b"}, {"volume": ["c:/y", "d:/z"]})
    found = resolved(parse(["--volume", "e:/x", "--labels", "team=c"]), every)
    assert [str(each) for each in found.volume] == ["d:/z", "b:/y", "e:/x"]
    assert found.labels == (("part", "b"), ("team", "c"))


def test_a_flag_that_is_set_elsewhere_is_taken_back() -> None:
    every = places({}, {"detach": "1"}, {"read_only_root": True})
    assert resolved({}, every).detach
    assert resolved({}, every).read_only_root
    assert not resolved(parse(["--detach=false"]), every).detach
    assert not resolved({}, places({"detach": "false"}, {"detach": "1"}, {})).detach


@pytest.mark.parametrize(
    ("every", "told", "typed"),
    [
        (places({"gpus": "two"}, {}, {}), "%kube config gpus=two is not", "%kube config gpus=1"),
        (places({}, {"memory": "16GB"}, {}), "KUBE_MAGICS_MEMORY=16GB is not", "%env KUBE_MAGICS_MEMORY=16Gi"),
        (places({}, {}, {"backend": "lokal"}), "c.KubeMagics.backend=lokal", 'c.KubeMagics.backend="local"'),
        (places({}, {"env": "A='1"}, {}), "No closing quotation", "%env KUBE_MAGICS_ENV='NCCL_DEBUG=INFO'"),
        (places({}, {"detach": "ture"}, {}), "only true or false", "%env KUBE_MAGICS_DETACH=true"),
    ],
)
def test_a_wrong_default_names_its_place(every: list[Place], told: str, typed: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolved({}, every)
    assert told in caught.value.message
    assert str(caught.value.hint).startswith(typed)


def test_a_verb_is_not_refused_for_what_it_does_not_need() -> None:
    every = places({}, {"gpus": "two", "namespace": "team-a"}, {})
    assert resolved({}, every, ("namespace",)) == JobSpec(namespace="team-a")


def test_every_option_has_its_variable_and_an_empty_one_sets_nothing() -> None:
    for option in SETTABLE:
        text = "true" if option.flag else option.example.split(" ", 1)[1].strip('"')
        found = from_environment({option.variable: text, "KUBE_MAGICS_STATE": "/x"})
        assert list(found.given) == [option.field]
        assert getattr(resolved({}, [found]), option.field) == parse([f"--{option.name}={text}"])[option.field]
        assert not from_environment({option.variable: ""}).given


def test_a_mistyped_variable_is_told_and_others_are_left_alone() -> None:
    names = ["KUBE_MAGICS_GPU", "KUBE_MAGICS_STATE", "KUBE_MAGICS_TEST_KUBECONFIG", "KUBE_MAGICS_IMAGE", "HOME"]
    assert unknown_variables(names) == [("KUBE_MAGICS_GPU", "KUBE_MAGICS_GPUS")]


RULES = {
    "max_gpus": "4",
    "max_cpus": "8",
    "max_memory": "64Gi",
    "max_timeout": "1d",
    "allowed_images": "registry.lab/*,python:3.*",
    "contact": "mlops@lab.example",
}
GOOD = "--gpus 4 --cpus 8 --memory 64Gi --timeout 24h --image registry.lab/team/torch:2"


@pytest.mark.parametrize(
    ("bad", "rule", "typed"),
    [
        ("--gpus 5", "KUBE_MAGICS_MAX_GPUS", "--gpus 4"),
        ("--cpus 8001m", "KUBE_MAGICS_MAX_CPUS", "--cpus 8"),
        ("--memory 65Gi", "KUBE_MAGICS_MAX_MEMORY", "--memory 64Gi"),
        ("--timeout 2d", "KUBE_MAGICS_MAX_TIMEOUT", "--timeout 86400s"),
        ("--image evil.example/x", "KUBE_MAGICS_ALLOWED_IMAGES", "--image registry.lab/*"),
    ],
)
def test_a_refusal_names_the_rule_whom_to_ask_and_what_is_allowed(bad: str, rule: str, typed: str) -> None:
    found = rules([Place(ENVIRONMENT, RULES)])
    limits.check(resolved(parse(GOOD.split()), []), found)
    with pytest.raises(NotAllowed) as caught:
        limits.check(resolved(parse([*GOOD.split(), *bad.split()]), []), found)
    assert f"({rule})." in caught.value.message
    hint = str(caught.value.hint)
    assert hint.startswith(f"{typed}   (")
    assert "ask mlops@lab.example" in hint
    if "*" not in typed:
        limits.check(resolved(parse([*GOOD.split(), *typed.split()]), []), found)


def test_what_has_no_limit_is_more_than_any() -> None:
    for field, option in (("max_memory", "--memory"), ("max_timeout", "--timeout")):
        found = rules([Place(ENVIRONMENT, {field: RULES[field]})])
        with pytest.raises(NotAllowed, match=f"without {option} has no limit"):
            limits.check(JobSpec(), found)


def test_no_place_takes_another_ones_limit_back() -> None:
    found = rules([Place(ENVIRONMENT, {"max_gpus": "100"}), Place(IPYTHON, {"max_gpus": 2})])
    with pytest.raises(NotAllowed, match=r"\(c\.KubeMagics\.max_gpus\)"):
        limits.check(JobSpec(gpus=3), found)
    assert {option.field for option in LIMITS} == set(RULES)
