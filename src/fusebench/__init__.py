"""fusebench: which way of fusing an RGB image and a LiDAR map to use, and how sure that is.

What `__all__` names is imported when it is first asked for: every stage imports this package, and
most need neither pandas nor torch.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusebench.api.answers import predict
    from fusebench.api.plots import plot_comparison, plot_pairs, plot_training
    from fusebench.api.results import Results, StaleResultsWarning, load_results
    from fusebench.errors import FusebenchError

__all__ = [
    "FusebenchError",
    "Results",
    "StaleResultsWarning",
    "load_results",
    "plot_comparison",
    "plot_pairs",
    "plot_training",
    "predict",
]

_HOMES = {
    "FusebenchError": "errors",
    "Results": "api.results",
    "StaleResultsWarning": "api.results",
    "load_results": "api.results",
    "plot_comparison": "api.plots",
    "plot_pairs": "api.plots",
    "plot_training": "api.plots",
    "predict": "api.answers",
}


# Type checkers see the imports above, and no name beside them.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return what is public."""
    return sorted(__all__)
