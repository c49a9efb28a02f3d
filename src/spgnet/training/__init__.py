"""Training: losses, recipes, the loop, checkpoints, run folders and experiments."""
