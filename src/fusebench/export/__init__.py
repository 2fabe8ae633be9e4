"""A trained fusion as one file for programs that know nothing of this project."""
