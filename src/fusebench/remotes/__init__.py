"""Where results are kept for others: the default remote of DVC, set and looked at."""
