"""From an archive to samples."""
