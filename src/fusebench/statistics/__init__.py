"""Paired estimates, their intervals and resampling: numbers in, numbers out."""
