"""One file per fusion; its name is the fusion's name in params.yaml."""
