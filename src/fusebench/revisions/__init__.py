"""The same fusion in two commits or experiments."""
