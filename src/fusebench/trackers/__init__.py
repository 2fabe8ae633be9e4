"""The trackers, one file each: dvclive, mlflow, tensorboard, wandb."""
