"""Training: the loop, schedules, callbacks, checkpoints and metrics."""
