"""What part the rows of metrics/pairs.csv play, by their column `role`.

Apart from `pairs`, so that tables and the headline do not depend on the statistics.
"""

import pandas as pd

PLANNED = "planned"
"""A contrast that is tested, on the metric that decides."""
UNPLANNED = "unplanned"
"""Two fusions on that metric, shown and not tested."""
BASELINE = "baseline"
"""A fusion against the threshold on that metric, shown and not tested."""
DESCRIPTIVE = "descriptive"
"""Two fusions on another metric."""
DECIDING = (PLANNED, UNPLANNED, BASELINE)
"""On the metric that decides."""


def primary_metric(pairs: pd.DataFrame) -> str | None:
    """Return the name of the metric that decides; None where there is no pair.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv.
    """
    named = pairs.loc[pairs["role"].isin(DECIDING), "metric"].tolist()
    return str(named[0]) if named else None
