"""From inputs to trained models: the loop, its settings, the device, the progress line."""
