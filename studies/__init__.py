"""Simulations and studies that are no stage of the pipeline."""
