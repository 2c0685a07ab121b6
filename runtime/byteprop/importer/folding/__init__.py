"""One file per family of ops that writers put around shapes; all of them are folded away."""
