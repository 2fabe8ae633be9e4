"""Which fusion solves which interaction of two sensors, on tasks made for that."""
