"""The results of the workspace, told where they were not told while they were made."""

from dataclasses import dataclass, field
from pathlib import Path

from fusebench import cli
from fusebench.aside import lock
from fusebench.config import PARAMS_FILE, load_keys, load_section
from fusebench.device import RuntimeParams
from fusebench.errors import BusyError, TrackerError
from fusebench.models.registry import FusionParams
from fusebench.recorded import check_files
from fusebench.revisions.revisions import WORKSPACE, reader
from fusebench.stale import stale, stale_files
from fusebench.tracking.comparison import PAGE, comparison_events, read_files, without_page
from fusebench.tracking.group import group_and_tags
from fusebench.tracking.ledger import Ledger
from fusebench.tracking.process import BUSY
from fusebench.tracking.run import Event
from fusebench.tracking.session import Session, main_checkout
from fusebench.tracking.tracker import tracker_class
from fusebench.tracking.trainings import MANIFEST, Trained, ended

# Without a word of the tracker; a large model may take long.
_SECONDS = 120.0


@dataclass
class Results:
    """Runs of the workspace.

    Attributes
    ----------
    runs : dict of str to list of Event
        What is to be told of each, by its name.
    told : int
        How many were told before.
    stale : list of str
        Why others are not told, a sentence each.
    """

    runs: dict[str, list[Event]] = field(default_factory=dict)
    told: int = 0
    stale: list[str] = field(default_factory=list)

    def add(self, events: list[Event], ledger: Ledger, *, again: bool) -> None:
        """Add the events of one run, unless they were told."""
        begin, end = events[0], events[-1]
        if not again and ledger.entry(begin["id"]).ended == end["digest"]:
            self.told += 1
        else:
            self.runs[begin["name"]] = events


def tell_results(tracker: str, *, again: bool) -> None:
    """Tell a tracker of the trainings and the comparison of the workspace; say what was told.

    Parameters
    ----------
    again : bool
        Also what it was told before, which is replaced.

    Raises
    ------
    ArtifactError, ParamsError
        A file is missing or broken, or not what its stage made.
    BusyError
        Another process is telling it.
    TrackerError
        It could not be told.
    """
    ledger = Ledger(main_checkout(), tracker, tracker_class(tracker).destination())
    ledger.folder.mkdir(parents=True, exist_ok=True)
    try:
        with lock(ledger.folder):
            _tell(tracker, ledger, again=again)
    except BlockingIOError:
        raise BusyError(f"tracker {tracker}: another run is telling it; wait for it") from None


def _tell(tracker: str, ledger: Ledger, *, again: bool) -> None:
    results = _read(ledger, again=again)
    session = Session(tracker, "results")
    for line in (session.line(), *results.stale):
        cli.show(line)
    if not results.runs:
        more = "; --again tells them anew" if results.told else ""
        print(f"nothing to tell; {results.told} runs were told before{more}")
        return
    trouble = session.tell_all([event for run in results.runs.values() for event in run], _SECONDS)
    for name, events in results.runs.items():
        if ledger.entry(events[0]["id"]).ended == events[-1]["digest"]:
            print(f"told: {name}")
    if trouble.startswith(BUSY):
        raise BusyError(f"tracker {tracker}: {trouble}; wait for it, then run this again")
    if trouble:
        raise TrackerError(f"tracker {tracker}: {trouble}{session.where}")


def _read(ledger: Ledger, *, again: bool) -> Results:
    from fusebench.training.train import OutputPaths

    results, read = Results(), reader(WORKSPACE)
    group, tags = group_and_tags()
    fusions = load_keys(PARAMS_FILE, FusionParams).fusions
    behind = stale_files(read, [f"models/{fusion}" for fusion in fusions])
    results.stale += [f"Stale, not told: {path}: {reason}." for path, reason in behind.items()]
    for fusion in fusions:
        paths = OutputPaths.of(fusion)
        if paths.models.as_posix() in behind:
            continue
        check_files([paths.models, paths.curve, paths.metrics, MANIFEST])
        trained = Trained.read(fusion, paths)
        runs = {seed: trained.run(seed, group, tags) for seed in trained.seeds}
        events = {run.id: [run.begin(again=again)] for run in runs.values()}
        for event in ended(runs, paths):
            events[event["run"]].append(event)
        for of_run in events.values():
            results.add(of_run, ledger, again=again)
    if lines := stale(read).lines():
        results.stale += [f"The comparison is not told. {line}" for line in lines]
    else:
        check_files(read_files())
        missing = without_page(read)
        results.stale += [missing] if missing else []
        events_of = comparison_events(group, tags, page=not missing, again=again)
        results.add(events_of, ledger, again=again)
    return results


def tell_comparison(page: Path) -> None:
    """Tell the tracker of params.yaml of the comparison beside it, at the end of stage report.

    Whatever goes wrong is a line of its own: it is none of the stage's.

    Parameters
    ----------
    page : Path
        The file that was just written; plots/report.html is told if it is that one.
    """
    with Session(load_section(PARAMS_FILE, "runtime", RuntimeParams).tracker, "report") as session:
        if not session.wanted:
            return
        with session.harmless():
            if lines := stale(reader(WORKSPACE)).lines():
                cli.show(f"The comparison is not told. {' '.join(lines)}")
                return
            written = page.resolve() == PAGE.resolve()
            for event in comparison_events(*group_and_tags(), page=written):
                session.tell(event)
