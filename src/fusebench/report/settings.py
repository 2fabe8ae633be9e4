"""Section `compare`: what is declared before looking, and which contrasts are planned."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any

from pydantic import Field, create_model, field_validator

from fusebench.config import AsTuple, Section
from fusebench.evaluation.metrics import METRICS, means
from fusebench.models.registry import FUSIONS

_GROUPS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "any": lambda _info: True,
    "fused": lambda info: len(info["inputs"]) > 1,
    "single": lambda info: len(info["inputs"]) == 1,
    "intermediate": lambda info: info["strategy"] == "intermediate",
}
GROUPS = tuple(_GROUPS)
"""Words that stand for several fusions in a contrast; no fusion may be called so."""
_BETWEEN = "/"


# A key for each metric that may decide; one that is left out is empty.
_FIELDS: dict[str, Any] = {
    name: (Annotated[float, Field(gt=0, lt=METRICS[name].span or None)] | None, None)
    for name in means()
}
_Margins: Any = create_model("Margins", __base__=Section, **_FIELDS)


class CompareParams(Section):
    """Section `compare`."""

    primary: str
    margin: _Margins
    contrasts: Annotated[tuple[str, ...], AsTuple]
    temperature: bool

    @field_validator("primary")
    @classmethod
    def _is_a_mean(cls, primary: str) -> str:
        if primary not in means():
            other = (
                f"; {METRICS[primary].label} is no mean over samples, so it describes only"
                if primary in METRICS
                else ""
            )
            raise ValueError(f"'{primary}': must be one of {', '.join(means())}{other}")
        return primary

    @field_validator("contrasts")
    @classmethod
    def _known(cls, contrasts: tuple[str, ...]) -> tuple[str, ...]:
        known = (*FUSIONS.names(), *GROUPS)
        for contrast in contrasts:
            sides = contrast.split(_BETWEEN)
            same = len(set(sides)) == 1 and sides[0] not in GROUPS
            if len(sides) != 2 or same or not set(sides) <= set(known):
                raise ValueError(
                    f"'{contrast}': must be two of {', '.join(known)} with '{_BETWEEN}' between, "
                    "such as fused/single"
                )
        return contrasts

    @property
    def declared(self) -> dict[str, Any]:
        """All that decides what is said, as metrics/sources.json keeps it.

        Not `temperature`: what is scaled stands beside, and changes neither table nor verdict.
        """
        content = self.model_dump(mode="json", exclude={"temperature"})
        margin = {name: value for name, value in content["margin"].items() if value is not None}
        return content | {"margin": margin}

    @property
    def primary_margin(self) -> float | None:
        """The margin of the metric that decides; None where none is declared."""
        margin: float | None = getattr(self.margin, self.primary, None)
        return margin


def planned(
    contrasts: Sequence[str], infos: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return the pairs that contrasts come to, each once, in their order.

    Parameters
    ----------
    contrasts : sequence of str
        As `compare.contrasts`; one of fusions that are not compared comes to nothing.
    infos : mapping of str to mapping
        Of each fusion that is compared: `strategy` and `inputs`.
    """
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for contrast in contrasts:
        first, second = (list(_members(side, infos)) for side in contrast.split(_BETWEEN))
        for one in first:
            for other in second:
                if one != other:
                    pairs.setdefault(frozenset((one, other)), (one, other))
    return list(pairs.values())


def empty_contrasts(contrasts: Sequence[str], infos: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each contrast that comes to no pair of the fusions that are compared."""
    return [
        f"compare.contrasts: '{contrast}' comes to no pair of these fusions."
        for contrast in contrasts
        if not planned([contrast], infos)
    ]


def unplanned(names: Sequence[str], chosen: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return all other pairs, in the order of `names`."""
    taken = {frozenset(pair) for pair in chosen}
    return [pair for pair in combinations(names, 2) if frozenset(pair) not in taken]


def _members(side: str, infos: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the fusions that one side of a contrast stands for."""
    for name, info in infos.items():
        if name == side or (side in _GROUPS and _GROUPS[side](info)):
            yield name
