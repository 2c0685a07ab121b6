"""The compiled library from Python: the only importers of `byteprop._kernels`."""
