"""Why a remote does not answer, in one line: the libraries below DVC each have their own errors."""

from collections.abc import Iterator
from json import JSONDecodeError
from traceback import walk_tb

from fusebench.errors import one_line
from fusebench.remotes.place import PACKAGES

_LIBRARIES = ("aiobotocore", "aiohttp", "asyncssh", "botocore")
_NO_KEYS = (
    "no credentials; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, say who you are "
    "(docs/remotes.md)"
)


def reason(error: BaseException) -> str | None:
    """Return why a remote could not be used, or None where an error says nothing of one.

    Looks at what an error came from, too: DVC hides a remote's error behind its own. That a file
    is not there is no such reason, that a bucket is not there is one. A ValueError is one where a
    library raised it, which refuses an address so; where this package did, it is a defect of it.
    """
    return next((one_line(said, 300) for each in _chain(error) if (said := _said(each))), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str | None:
    name, library = type(error).__name__, type(error).__module__.partition(".")[0]
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return _NO_KEYS
    if isinstance(error, ImportError) or name == "RemoteMissingDepsError":
        return _lacking(f"{error} {getattr(error, 'missing_deps', '')}")
    if isinstance(error, FileNotFoundError):
        no_bucket = any(type(each).__name__ == "NoSuchBucket" for each in _chain(error))
        return str(error) if no_bucket else None
    if isinstance(error, OSError | TimeoutError) or library in _LIBRARIES:
        return getattr(error, "strerror", None) or str(error) or name
    if isinstance(error, JSONDecodeError | UnicodeDecodeError):
        return "a list of files is damaged there"
    if isinstance(error, ValueError) and not _is_ours(error):
        return str(error) or name
    return None


def _is_ours(error: BaseException) -> bool:
    """Tell whether this package raised an error; where nobody did, it did not."""
    raised_in = [frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__)]
    return str(raised_in[-1]).startswith("fusebench.") if raised_in else False


def _lacking(text: str) -> str | None:
    """Return which package is lacking and what installs it, from what DVC says of it."""
    for kind, package in PACKAGES.items():
        if package in text or f"{kind}fs" in text:
            return f"needs {package} (extra {kind}); 'make setup-extras' installs it"
    return None
