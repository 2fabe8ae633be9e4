"""How often the statistics err: studies whose truth is known, simulated."""
