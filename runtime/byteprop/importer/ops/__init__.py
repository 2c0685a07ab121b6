"""One file per family of ops that run on tensors."""
