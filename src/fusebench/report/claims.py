"""What the notebook claims of its four fusions, and how each claim is judged by what was measured.

A claim is added here alone: an entry of `CLAIMS`.
"""

from dataclasses import dataclass

from fusebench.report.evidence import Evidence
from fusebench.report.judgement import (
    Judge,
    Judgement,
    fastest,
    fewest_parameters,
    most_flops,
    most_memory,
    most_parameters,
    slowest,
)
from fusebench.report.shown import as_accurate, loses_more, most_accurate, why

PERFORMANCE = "Performance"
TRADE_OFFS = "Efficiency and trade-offs"
RESOURCES = "Resource usage"
HEADINGS = (PERFORMANCE, TRADE_OFFS, RESOURCES)
"""The notebook's, in its order."""


@dataclass(frozen=True)
class Claim:
    """A claim of the notebook.

    Attributes
    ----------
    heading : str
        Where it stands.
    text : str
        What it says.
    reading : str
        What is asked of the figures to judge it.
    judge : callable
        Gives what became of it, from an `Evidence`.
    """

    heading: str
    text: str
    reading: str
    judge: Judge


CLAIMS = (
    Claim(
        PERFORMANCE,
        "Concatenation is the most accurate.",
        "concat is better than each of late, add and hadamard by the metric that decides",
        most_accurate("concat", ("late", "add", "hadamard")),
    ),
    Claim(
        PERFORMANCE,
        "That is because merging early learns correlations between the sensors.",
        "a reason, not a figure",
        why("concat", "late_matched"),
    ),
    Claim(
        PERFORMANCE,
        "Late fusion is the least accurate (its table: 94.88 %).",
        "late is worse than each of concat, add and hadamard by the metric that decides",
        most_accurate("late", ("concat", "add", "hadamard"), least=True),
    ),
    Claim(
        PERFORMANCE,
        "Hadamard fusion is as accurate as concatenation (its table: both 100.00 %).",
        "hadamard and concat differ by no more than the declared margin of the metric that decides",
        as_accurate("hadamard", "concat"),
    ),
    Claim(
        TRADE_OFFS,
        "Hadamard fusion is the most parameter-efficient.",
        "hadamard has fewer parameters than each of late, concat and add",
        fewest_parameters("hadamard", ("late", "concat", "add")),
    ),
    Claim(
        TRADE_OFFS,
        "Hadamard fusion assumes that the sensors are aligned in space.",
        "a LiDAR map that is shifted, and one that is turned, costs hadamard more balanced "
        "accuracy than each of late and concat",
        loses_more("hadamard", ("late", "concat"), ("lidar_shifted", "lidar_turned")),
    ),
    Claim(
        TRADE_OFFS,
        "Concatenation costs more FLOPs.",
        "a forward pass of concat takes more operations than of each of add and hadamard",
        most_flops("concat", ("add", "hadamard")),
    ),
    Claim(
        RESOURCES,
        "Late fusion needs two full encoders.",
        "late has more parameters than each of concat, add and hadamard",
        most_parameters("late", ("concat", "add", "hadamard")),
    ),
    Claim(
        RESOURCES,
        "Late fusion needs more memory.",
        "a training step of late takes more memory than of each of concat, add and hadamard",
        most_memory("late", ("concat", "add", "hadamard")),
    ),
    Claim(
        RESOURCES,
        "Late fusion trains slightly faster per epoch.",
        "an epoch of late takes less time than of each of concat, add and hadamard",
        fastest("late", ("concat", "add", "hadamard")),
    ),
    Claim(
        RESOURCES,
        "Hadamard fusion trains slowest (its table: 1.50 s per epoch).",
        "an epoch of hadamard takes more time than of each of late, concat and add",
        slowest("hadamard", ("late", "concat", "add")),
    ),
)
"""Every claim, in the order of the page."""


def judgements(evidence: Evidence) -> list[tuple[Claim, Judgement]]:
    """Return each claim with what became of it."""
    return [(claim, claim.judge(evidence)) for claim in CLAIMS]
