"""How samples lie in a zip or a folder, one way per file; the contract is in data/layout.py."""
