"""Answers of kept models for new samples."""
