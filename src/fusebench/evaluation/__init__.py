"""Metrics of kept predictions."""
