"""What is known of the processor without torch."""

import os
import platform
from pathlib import Path

import pytest

from fusebench.device import processor_name, thread_count, usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_usable_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 6})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores() == 3


@pytest.mark.parametrize(("counted", "cores"), [(6, 6), (None, 1)])
def test_without_affinity_all_cores_are_usable(
    counted: int | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert usable_cores() == cores


def test_auto_threads_are_the_usable_cores() -> None:
    assert thread_count("auto") == usable_cores()
    assert thread_count(3) == 3


def test_processor_is_named_as_its_maker_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nmodel name\t: Maker X: 9\nflags\t: a b\nmodel name\t: Other\n"
    monkeypatch.setattr(Path, "read_text", lambda *_: text)
    assert processor_name() == "Maker X: 9"


@pytest.mark.parametrize(("told", "name"), [("arm", "arm"), ("", "aarch64")])
def test_processor_is_named_where_the_file_does_not_tell(
    told: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: "flags : a b\n")
    monkeypatch.setattr(platform, "processor", lambda: told)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert processor_name() == name
