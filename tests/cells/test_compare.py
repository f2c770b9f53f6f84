"""What is asked of anybody's objects."""

from __future__ import annotations

from collections.abc import Iterator

from kube_magics.cells.definitions.compare import first


class Filled:
    """As a dict to which another thread adds: iterating breaks off, once; copying it all does not."""

    def __init__(self) -> None:
        self._grown = {"a": 1, "b": 2, "c": 3}
        self._adding = True

    def __iter__(self) -> Iterator[str]:
        if not self._adding:
            return iter(self._grown)
        self._adding = False
        return self._while_it_grows()

    def _while_it_grows(self) -> Iterator[str]:
        for name in self._grown:
            yield name
            self._grown["d"] = 4


def test_the_first_items_of_what_another_thread_adds_to() -> None:
    assert first(Filled(), 3) == ["a", "b", "c"]
    assert first({"a": 1, "b": 2}.items(), 1) == [("a", 1)]
