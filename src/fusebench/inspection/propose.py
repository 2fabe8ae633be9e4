"""Params that fit what was seen: the data, the sensors and the shares of the split."""

from typing import Any

from fusebench.errors import SplitError
from fusebench.inspection.proposal import Proposal
from fusebench.inspection.seen import Seen
from fusebench.inspection.sensors import propose_images, propose_lidar
from fusebench.samples.manifest import PARTS
from fusebench.split.draw import draw, part_counts
from fusebench.split.params import SplitParams

# Shares with a holdout, which takes this many groups of the smallest class to say something.
_ENOUGH = 500
_SHARES = {"train": 0.6, "val": 0.15, "test": 0.25, "holdout": 0}
_WITH_HOLDOUT = {"train": 0.5, "val": 0.15, "test": 0.25, "holdout": 0.1}
# Below it, an accuracy of test moves by more than three points with one answer.
_FEW_TESTED = 30


def propose(seen: Seen, split: SplitParams, sensors_file: str) -> Proposal:
    """Return the params and sensors that fit what was seen.

    Parameters
    ----------
    split : SplitParams
        As they are; only the shares are proposed.
    sensors_file : str
        The path that data.sensors is to name.
    """
    proposal = Proposal()
    counts = seen.samples["class"].value_counts().reindex(list(seen.recognised.classes))
    rarest = str(counts.idxmin())
    proposal.params = {
        "data.archive": seen.archive, "data.layout": seen.layout,
        "data.manifest": seen.recognised.manifest, "data.sensors": sensors_file,
        "data.classes": list(seen.recognised.classes), "data.positive": rarest,
    }  # fmt: skip
    _say_samples(seen, split, counts, proposal)
    for class_name, reason in seen.lost.items():
        proposal.unknown.append(f"data.classes: {class_name} is left out ({reason})")
    if len(counts) == 2:
        proposal.unknown.append(
            f"data.positive: which class is the one to be found; written: {rarest}, the "
            + ("first" if counts.nunique() == 1 else "rarer one")
        )
    propose_images(seen, proposal)
    propose_lidar(seen, proposal)
    _shares(seen, split, counts, proposal)
    return proposal


def _say_samples(seen: Seen, split: SplitParams, counts: Any, proposal: Proposal) -> None:
    listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    say = proposal.seen.append
    say(f"layout {seen.layout}, {len(seen.samples):,} samples: {listed}")
    if seen.grouped:
        kept = "each of which stays in one part" if split.group == "id" else "split.group: none"
        say(f"groups: {seen.samples['group'].nunique():,}, {kept}")
    for name, of_class in seen.unmatched.items():
        for kind, count in of_class.items():
            if count:
                say(f"{count:,} {kind} file(s) of {name} without a partner, passed over")
    for reason, count in seen.passed_over.items():
        say(f"passed over: {count:,} {reason}")
    if seen.opened < len(seen.samples):
        say(f"opened: {seen.opened:,} of them")
    if seen.problems:
        say(f"{len(seen.problems):,} bad sample(s), which extract refuses or leaves out")


def _shares(seen: Seen, split: SplitParams, counts: Any, proposal: Proposal) -> None:
    """Write shares that leave each class in each part, and say what they come to."""
    of_class = seen.samples.groupby("class")["group"].nunique()
    shares = _WITH_HOLDOUT if of_class.min() >= _ENOUGH else _SHARES
    proposal.params |= {f"split.{part}": share for part, share in shares.items()}
    params = SplitParams.model_validate({**split.model_dump(), **shares})
    try:
        manifest = draw(seen.samples, params, [0])
    except SplitError as error:
        proposal.unknown.append(f"split: no shares fit ({error})")
        return
    drawn = part_counts(manifest, [0], list(counts.index)).loc[0]
    told = ", ".join(f"{part} {int(drawn.loc[part].sum()):,}" for part in PARTS if shares[part])
    proposal.seen.append(f"split: {told} samples")
    tested = manifest[manifest["seed_0"] == "test"].groupby("class", observed=True)["group"]
    groups = tested.nunique()
    if groups.min() < _FEW_TESTED:
        what = "groups with " if seen.grouped else ""
        proposal.unknown.append(
            f"split: test has only {groups.min()} {what}{groups.idxmin()}; what is found will have "
            "wide intervals"
        )
