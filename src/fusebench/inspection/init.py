"""`make init`: look at data, write the params that fit, say what was seen and what was not."""

import re
from pathlib import Path

from fusebench.aside import replace_outputs
from fusebench.config import PARAMS_FILE, load, parse, validate
from fusebench.data.layout import find_layout
from fusebench.data.opened import open_container
from fusebench.data.settings import DEMO, LAYOUTS
from fusebench.errors import ArchiveError, ParamsError
from fusebench.inspection.laid_out import archive_of
from fusebench.inspection.proposal import Proposal
from fusebench.inspection.propose import propose
from fusebench.inspection.seen import look
from fusebench.inspection.written import with_values
from fusebench.params import Params
from fusebench.samples.sensors import Sensors

TEMPLATE = Path("data/sensors.yaml")
SAMPLES = Path("data/samples")
_MOST_PROBLEMS = 5


def init(path: Path, layout: str | None, sensors: str | None, *, write: bool) -> list[str]:
    """Look at a zip, a folder or a table, and write section data, the shares and the sensors.

    Parameters
    ----------
    layout : str or None
        One of `LAYOUTS`; None: the one that fits.
    sensors : str or None
        Path of the file of sensors; None: data/sensors-<name>.yaml.
    write : bool
        Whether to write anything.

    Returns
    -------
    list of str
        Lines for the screen.

    Raises
    ------
    ArchiveError
        There is nothing, or it is laid out in no way that is known.
    ParamsError
        params.yaml is broken, the data are the demonstration, or the file of sensors is there and
        says something else.
    """
    if layout is not None:
        LAYOUTS.check(layout)
    params = load(PARAMS_FILE, Params)
    _check_place(archive_of(path)[0])
    seen = look(path, params.data, layout)
    if seen.synthetic:
        raise ParamsError(
            f"{path}: is a demonstration of stage synthesize; for it set data.archive: {DEMO}, "
            "data.classes and data.positive: auto"
        )
    name = re.sub(r"[^a-z0-9]+", "-", Path(seen.archive).resolve().stem.lower()).strip("-")
    file = Path(sensors or f"data/sensors-{name or 'own'}.yaml")
    proposal = propose(seen, params.split, file.as_posix())
    params_text = with_values(PARAMS_FILE, proposal.params, {})
    sensors_text = with_values(TEMPLATE, proposal.sensors, proposal.missing)
    wanted = validate(Params, parse(params_text.encode(), str(PARAMS_FILE)), str(PARAMS_FILE))
    if not proposal.missing:
        source = f"{file} (not written)"
        _try(wanted, validate(Sensors, parse(sensors_text.encode(), source), source), proposal)
    if write:
        _write({PARAMS_FILE: params_text, file: sensors_text}, file)
    return _lines(proposal, seen.problems, file, write=write)


def _check_place(archive: Path) -> None:
    """Refuse a folder that holds what stages write, which DVC would refuse."""
    if SAMPLES.resolve().is_relative_to(archive.resolve()):
        raise ParamsError(
            f"{archive}: holds {SAMPLES}, which stage extract writes; put the data into a folder "
            "of their own, and name that"
        )


def _try(params: Params, sensors: Sensors, proposal: Proposal) -> None:
    """Say what extract will refuse of the angles, which only the sensors tell to be wrong."""
    try:
        with open_container(Path(params.data.archive), params.data.limits) as container:
            find_layout(container, params.data, sensors).angles()
    except ArchiveError as error:
        proposal.unknown.append(f"how to mend what extract will refuse: {error}")


def _write(texts: dict[Path, str], sensors: Path) -> None:
    if sensors.exists() and sensors.read_bytes() != texts[sensors].encode():
        raise ParamsError(
            f"{sensors}: is there and says something else; remove it, or name another by SENSORS=…"
        )
    sensors.parent.mkdir(parents=True, exist_ok=True)
    with replace_outputs(files=list(texts)) as asides:
        for aside, text in zip(asides, texts.values(), strict=True):
            aside.write_text(text, "utf-8", newline="\n")


def _lines(proposal: Proposal, problems: list[str], file: Path, *, write: bool) -> list[str]:
    lines = ["Saw:", *(f"  {line}" for line in proposal.seen)]
    lines += [f"    {problem}" for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"    … and {len(problems) - _MOST_PROBLEMS:,} more")
    if proposal.unknown:
        lines += ["Could not know:", *(f"  {line}" for line in proposal.unknown)]
    if not write:
        return [*lines, "Nothing was written (a dry run)."]
    archive = Path(proposal.params["data.archive"])
    if archive.resolve().is_relative_to(Path.cwd()):
        keep = f"'dvc add {archive}' keeps the data out of git"
    else:
        keep = f"nobody else has {archive}: data in data/ can be shared ('dvc add')"
    lines.append(f"Wrote {PARAMS_FILE} (data, shares of split; see 'git diff') and {file}.")
    if proposal.missing:
        keys = ", ".join(proposal.missing)
        return [*lines, f"Next: fill in {keys} in {file}; {keep}; then 'make repro'."]
    return [*lines, f"Next: look at both; {keep}; then 'make repro'."]
