"""Experiment trackers: what they are told, by a process of its own: no result depends on it."""
