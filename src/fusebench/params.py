"""All of params.yaml, for stage check, which refuses a wrong file before any work is done."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import field_validator, model_validator

from fusebench.config import PARAMS_FILE, shown, validate
from fusebench.data.settings import DEMO, DataParams, named
from fusebench.device import RuntimeParams
from fusebench.errors import ParamsError
from fusebench.inputs.corruption import code_of
from fusebench.inputs.lidar import LidarParams
from fusebench.models.registry import FUSIONS, FusionParams
from fusebench.models.settings import ModelParams
from fusebench.prediction.predictions import BASELINES
from fusebench.report.settings import CompareParams
from fusebench.split.params import SplitParams
from fusebench.stress.settings import StressParams
from fusebench.synthetic.settings import SynthesizeParams
from fusebench.synthetic.task import TASKS, task_of
from fusebench.training.settings import TrainParams


class Params(FusionParams):
    """The whole file: the sections that the rooms of the library declare."""

    data: DataParams
    synthesize: SynthesizeParams
    split: SplitParams
    lidar: LidarParams
    model: ModelParams
    train: TrainParams
    override: dict[str, Any]
    stress: StressParams
    compare: CompareParams
    runtime: RuntimeParams

    @model_validator(mode="before")
    @classmethod
    def _named(cls, content: object) -> object:
        """Put the task's classes where `data` says auto."""
        if not isinstance(content, Mapping):
            return content
        synthesize = content.get("synthesize")
        name = synthesize.get("task") if isinstance(synthesize, Mapping) else None
        # A wrong task has an error of its own: none of `data` is to come before it.
        task = task_of(name if name in TASKS.names() else "shape")
        classes = {"classes": list(task.classes), "positive": task.positive}
        return (
            {**content, "data": named(content["data"], classes)} if "data" in content else content
        )

    @model_validator(mode="after")
    def _classes_of_the_task(self) -> Self:
        classes = self.synthesize.of_task.classes
        if self.data.archive == DEMO and set(self.data.classes) != set(classes):
            raise ValueError(
                f"data.classes = {list(self.data.classes)}: the demonstration of task "
                f"'{self.synthesize.task}' has {' and '.join(classes)}; must be auto, or these"
            )
        return self

    @field_validator("override")
    @classmethod
    def _known(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for name in overrides:
            FUSIONS.checked(name)
        return overrides

    @model_validator(mode="after")
    def _no_fusion_is_a_baseline(self) -> Self:
        for name in set(FUSIONS.names()) & set(BASELINES):
            raise ValueError(
                f"fusions: src/fusebench/fusions/{name}.py has the name of a baseline, whose "
                f"results it would overwrite; must be another than {', '.join(BASELINES)}"
            )
        return self

    @model_validator(mode="after")
    def _mappings(self) -> Self:
        for name, override in self.override.items():
            if not isinstance(override, dict | None):
                wrong = f"override.{name} = {shown(override)}: must be a mapping, or empty"
                raise ValueError(wrong)  # noqa: TRY004 (pydantic passes on no TypeError)
        return self

    @model_validator(mode="after")
    def _portable_is_fp32(self) -> Self:
        for where, precision in self._asked("precision").items():
            if self.runtime.portable and precision == "bf16":
                raise ValueError(
                    f"{where}.precision = 'bf16': must be 'auto' or 'fp32' while runtime.portable "
                    "is true"
                )
        return self

    @model_validator(mode="after")
    def _only_the_notebooks_stem_is_strided(self) -> Self:
        for where, pooling in self._asked("pooling").items():
            if self.model.stem != "notebook" and pooling == "strided":
                raise ValueError(
                    f"{where}.pooling = 'strided': must be 'max' while model.stem is "
                    f"'{self.model.stem}', which halves its maps in its own way"
                )
        return self

    def _asked(self, key: str) -> dict[str, object]:
        """Return all values of a key of `train`, its overrides', too, by where they stand."""
        asked: dict[str, object] = {"train": getattr(self.train, key)}
        for name, override in self.override.items():
            asked[f"override.{name}"] = (override or {}).get(key)
        return asked

    def without_override(self, fusions: Iterable[str]) -> list[str]:
        """Return the fusions whose `lr` `override` does not list, so that -S cannot set it."""
        return [name for name in fusions if "lr" not in (self.override.get(name) or {})]

    def effective_train(self, fusion: str) -> TrainParams:
        """Return `train` with what `override` changes of it for one fusion.

        Raises
        ------
        ParamsError
            The override has an unknown key or a value that is not allowed, or names seeds.
        """
        override = self.override.get(fusion) or {}
        known = TrainParams.model_fields
        changes = {
            key: override[key] for key in override if not (key in known and override[key] is None)
        }
        if "seeds" in changes:
            raise ParamsError(
                f"{PARAMS_FILE}: override.{fusion}.seeds: must be empty; comparisons are paired by "
                "seed, so every fusion has those of train"
            )
        content = {**self.train.model_dump(), **changes}
        return validate(TrainParams, content, str(PARAMS_FILE), ("override", fusion))

    def checked_files(self) -> dict[str, dict[str, Any]]:
        """Return the content of the files that stage check writes, by their names below checked/.

        Raises
        ------
        ParamsError
            As `effective_train`; or there is no such file as `model.weights`.
        """
        model = self.model.with_digest().settings()
        files: dict[str, dict[str, Any]] = {
            "params.json": {"params.yaml": "every value is allowed"},
            "seeds.json": {"seeds": list(self.train.seeds)},
            "classes.json": {
                "classes": list(self.data.classes),
                "positive": self.data.positive,
            },
        }
        for name in FUSIONS.names():
            train = self.effective_train(name)
            # So a training depends on the code of the corruptions that it uses, and of no other.
            code = {used: code_of(used) for used in train.probabilities}
            files[f"settings/{name}.json"] = {
                "train": train.settings(), "lidar": self.lidar.settings(),
                **({"model": model} if model else {}), **({"corruptions": code} if code else {}),
            }  # fmt: skip
        return files
