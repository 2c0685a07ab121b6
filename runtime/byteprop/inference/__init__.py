"""Models that run: what a model is without training."""
