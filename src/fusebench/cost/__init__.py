"""What a fusion costs: operations, time and memory of its model, measured on random inputs."""
