"""Every error that a user can meet, as a tree.

FusebenchError            one clear line on the screen, exit code 1
├── ParamsError           params.yaml, the file that data.sensors names, or an argument:
│                         missing, no YAML, unknown key, wrong type, value not allowed
├── ArchiveError          the zip or folder: missing, broken, not in the expected layout
│   └── BadSamplesError   members that cannot be used as samples, all of them listed
├── SplitError            fractions that cannot be drawn from the samples at hand
├── ArtifactError         a file that another stage wrote: missing, broken, or of another run
├── BusyError             another run is writing the same output
├── HoldoutError          the holdout may not be opened as git, params or results are
├── TrackerError          a tracker could not be told of results, for `python src/track.py` alone
├── TrainingError         training cannot go on: a loss that is no number
└── DeviceError           the device or the instruction sets asked for are not there; OMP_… is wrong
"""

from collections.abc import Sequence

REMEDY = "'make mend' repairs it"
"""What is to be done about a broken file that a stage wrote, for errors."""


def one_line(text: str, limit: int = 400) -> str:
    """Return a text on one line: what breaks it is escaped, and what is too long is cut with …."""
    # Cut first, too: a text may be a million characters long.
    escaped = (
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in _cut(text, limit)
    )
    return _cut("".join(escaped), limit)


def _cut(text: str, limit: int) -> str:
    # The end is kept, since it says what is allowed.
    end = limit // 3
    return text if len(text) <= limit else f"{text[: limit - end - 1]}…{text[-end:]}"


class FusebenchError(Exception):
    """Something the user can mend. The message is one line: place, value, what is allowed."""


class ParamsError(FusebenchError):
    """A file of params (params.yaml, the sensors) is missing or broken, or a value is wrong.

    The message begins with the file's name and names the key, or the argument of a command.
    """


class ArchiveError(FusebenchError):
    """The archive of samples is missing, broken or laid out in another way."""


class BadSamplesError(ArchiveError):
    """Members of the archive that cannot be used.

    Parameters
    ----------
    archive : str
        Name of the archive.
    problems : sequence of str
        One entry per bad sample: the member and what is wrong with it.
    skip : str
        What leaves them out.
    """

    def __init__(
        self, archive: str, problems: Sequence[str], skip: str = "data.on_bad_sample: skip"
    ) -> None:
        self.problems = tuple(problems)
        head = f"{archive}: {len(problems)} bad sample(s); mend them, or leave them out with {skip}"
        super().__init__("\n  ".join([head, *problems]))


class SplitError(FusebenchError):
    """The parts of the split cannot be drawn as asked."""


class ArtifactError(FusebenchError):
    """A file that another stage wrote is missing, broken or of another run."""


class BusyError(FusebenchError):
    """Another process is writing the same output, or training the same seed."""


class HoldoutError(FusebenchError):
    """The holdout may not be opened: there is none, or git could not say later what was opened."""


class TrackerError(FusebenchError):
    """A tracker could not be told of results."""


class TrainingError(FusebenchError):
    """Training cannot go on."""


class DeviceError(FusebenchError):
    """A device or instruction sets are not there, or a variable such as OMP_DYNAMIC is wrong."""
