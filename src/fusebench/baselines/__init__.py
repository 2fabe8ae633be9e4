"""Answers without a trained model, kept and measured as those of the fusions."""
