"""The models: stems, fusions (one file each in `fusions/`), the registry, weights."""
