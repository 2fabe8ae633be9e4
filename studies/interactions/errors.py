"""What can be wrong with a run of this study."""

from fusebench.errors import FusebenchError


class StudyError(FusebenchError):
    """A cell cannot be run, read or committed."""
