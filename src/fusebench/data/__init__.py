"""From an archive to samples, and the split."""
