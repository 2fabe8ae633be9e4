"""Which sample is in which part, per seed."""
