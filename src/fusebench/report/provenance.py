"""How and where the fusions were trained: what differs between them, and from this machine.

A result from the cache is as good as a new one; but settings decide what is compared, and versions,
processor and threads decide the last bits, from which training goes other ways.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# What stage train records of the environment and what can be known here without torch: versions
# in any case, and what did the work where that was the processor.
_VERSIONS = ("torch", "numpy", "python")
_ON_THE_CPU = ("processor", "threads")


def differences(
    trained: Mapping[str, Mapping[str, Any]], here: Mapping[str, str | int]
) -> list[str]:
    """Return a line for each way in which fusions were not trained alike, or not as here.

    Parameters
    ----------
    trained : mapping of str to mapping
        By fusion, its `settings` and `environment`, as `Comparison.trainings` has them.
    here : mapping of str to (str or int)
        As `device.present_environment` returns it.
    """
    settings = {name: fusion["settings"] for name, fusion in trained.items()}
    environments = {name: fusion["environment"] for name, fusion in trained.items()}
    devices = {name: _device(environment) for name, environment in environments.items()}
    lines = _between_fusions(settings) + _between_fusions(devices)
    for key in (*_ON_THE_CPU, *_VERSIONS):
        lines += _from_here(key, environments, _value(key, here[key]))
    return lines


def _device(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what names the device; a GPU's model too, which cannot be compared with this machine.

    To ask for it would take torch.
    """
    device = environment["device"]
    return {"device": device if device == "cpu" else f"{device} ({environment['processor']})"}


def _between_fusions(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each key that is not the same for all fusions."""
    lines = []
    for key in dict.fromkeys(key for values in settings.values() for key in values):
        # What is off is left out.
        groups = _by_value({name: values.get(key, "none") for name, values in settings.items()})
        if len(groups) > 1:
            # The most common value is what the others are told apart from.
            (value, names), *more = sorted(groups, key=lambda group: len(group[1]))
            line = f"{_listed(names)} {_were(names)} trained with {key} {value}"
            for value, names in more[:-1]:
                line += f", {_listed(names)} with {value}"
            value, names = more[-1]
            lines.append(f"{line}, {'the others' if len(names) > 1 else names[0]} with {value}")
    return lines


def _from_here(key: str, environments: Mapping[str, Mapping[str, Any]], here: str) -> list[str]:
    """Return a line for each value of a key that is not the one of this machine."""
    values = {
        name: _value(key, environment[key])
        for name, environment in environments.items()
        if key in _VERSIONS or environment["device"] == "cpu"
        # In portable mode every processor gives the same bits.
        if key != "processor" or not environment.get("portable")
    }
    lines = []
    for value, names in _by_value(values):
        if value != here:
            every = len(names) == len(environments) > 1
            who = "every fusion was" if every else f"{_listed(names)} {_were(names)}"
            lines.append(f"{who} trained with {key} {value}, here is {here}")
    return lines


def _value(key: str, value: str | int) -> str:
    # torch calls itself "2.15.0+cu132", its package on PyPI "2.15.0".
    return str(value).partition("+")[0] if key in _VERSIONS else str(value)


def _by_value(values: Mapping[str, Any]) -> list[tuple[Any, list[str]]]:
    """Return each value with the names of the fusions that have it, in the order of the first."""
    groups: dict[str, tuple[Any, list[str]]] = {}
    for name, value in values.items():
        groups.setdefault(repr(value), (value, []))[1].append(name)
    return list(groups.values())


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _were(names: Sequence[str]) -> str:
    return "were" if len(names) > 1 else "was"
