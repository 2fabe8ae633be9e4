"""Every training of params.yaml at once: on the cores of one machine, or on a Ray cluster."""
