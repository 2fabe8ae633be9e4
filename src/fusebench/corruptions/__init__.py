"""Corruptions: a file each; the contract is in inputs/corruption.py."""
