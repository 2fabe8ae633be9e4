"""One file per task of the demonstration archive; its name is the task's name in params.yaml."""
