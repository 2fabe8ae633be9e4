"""From samples to trained models: the loop and its settings."""
