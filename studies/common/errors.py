"""What can be wrong with a run of a study."""

from fusebench.errors import FusebenchError


class StudyError(FusebenchError):
    """A study cannot be run, read or committed."""
