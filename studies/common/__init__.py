"""What the studies that run experiments of DVC have in common."""
