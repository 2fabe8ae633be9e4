"""The holdout, opened at the very end: recorded in git first, then measured as test is."""
