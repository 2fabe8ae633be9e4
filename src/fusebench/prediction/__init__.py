"""Kept predictions: the logits of each sample and seed."""
