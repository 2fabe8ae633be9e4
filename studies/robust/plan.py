"""What is other in each experiment: which corruptions befall training samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusebench.inputs.corruption import CORRUPTIONS
from studies.common.errors import StudyError
from studies.common.experiments import Experiment
from studies.common.kept import Unit

PROBABILITY = 0.1
"""How likely each corruption befalls a training sample."""
DROPOUT = ("rgb_off", "lidar_off")
MOVED = ("lidar_shifted", "lidar_swapped", "lidar_turned", "rgb_swapped")
"""Corruptions that leave each recording as good as it was, but not that of the other sensor's
scene or frame; no recipe trains on them."""
MOVED_LIDAR = ("lidar_shifted", "lidar_turned")
"""What fusions that assume alignment might suffer from."""
# The stage that writes the last that is read here.
_TARGET = "robustness"


@dataclass(frozen=True)
class Recipe:
    """What befalls training samples, or is set otherwise.

    Attributes
    ----------
    name : str
    corruptions : sequence of str
        Names of files in src/fusebench/corruptions/.
    setting : str
        Another param that the experiment sets, in place of corruptions in training.
    """

    name: str
    corruptions: Sequence[str] = ()
    setting: str = ""

    @property
    def override(self) -> str:
        """What the experiment sets."""
        if self.setting:
            return self.setting
        listed = ",".join(
            f"{{corruption:{name},probability:{PROBABILITY}}}" for name in self.corruptions
        )
        return f"train.augment=[{listed}]"


def recipes() -> list[Recipe]:
    """Return what is run: dropout of a sensor; that with all that blurs or hides; and aligned maps.

    The last trains on clean samples in the camera's frame: it asks whether alignment decides what a
    shifted or turned LiDAR does to a fusion.
    """
    others = [name for name in CORRUPTIONS.names() if name not in (*DROPOUT, *MOVED)]
    return [
        Recipe("dropout", DROPOUT),
        Recipe("dropout-noise", (*DROPOUT, *others)),
        Recipe("camera", setting="lidar.align=camera"),
    ]


def units(params: Mapping[str, Any]) -> list[Unit]:
    """Return what is to be run.

    Parameters
    ----------
    params : mapping
        What of params.yaml decides results.

    Raises
    ------
    StudyError
        The params train on corrupted samples, too, so that nothing is plain.
    """
    if augment := params["train"].get("augment"):
        raise StudyError(
            f"params.yaml: train.augment = {augment}: must be [], since models that are trained on "
            "corrupted samples are compared with such that are not"
        )
    return [
        Unit(
            Experiment(f"robust-{recipe.name}", (recipe.override,), (_TARGET,)),
            recipe.name, params,
            {"recipe": recipe.name, "corruptions": list(recipe.corruptions),
             "probability": PROBABILITY, "setting": recipe.setting},
        )
        for recipe in recipes()
    ]  # fmt: skip
