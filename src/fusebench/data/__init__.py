"""From an archive, recorded or rendered, to what a model sees: arrays, parts, input maps."""
