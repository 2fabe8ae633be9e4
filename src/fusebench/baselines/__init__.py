"""Answers without training, to hold the fusions against."""
