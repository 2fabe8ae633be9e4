"""Which errors say why a remote could not be used."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from fusebench.remotes.reasons import reason
from fusebench.stages import read_lock


def _raised(act: Callable[[], object]) -> ValueError:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        act()
    return caught.value


def test_what_a_library_refuses_is_one_also_where_it_is_hidden() -> None:
    refused = _raised(lambda: urlsplit("http://[host"))
    hidden = LookupError("object is corrupted")
    hidden.__cause__ = refused
    assert reason(refused) == reason(hidden) == "Invalid IPv6 URL"


def test_what_this_package_raises_is_none() -> None:
    assert reason(_raised(lambda: read_lock("- no stages\n"))) is None


def test_a_damaged_list_is_one() -> None:
    assert reason(_raised(lambda: json.loads("[{"))) == "a list of files is damaged there"


@pytest.mark.parametrize("error", [FileNotFoundError("none"), KeyError("none"), TypeError("none")])
def test_what_is_not_there_and_other_errors_are_none(error: Exception) -> None:
    assert reason(error) is None
