"""Building firmware: sources, flags, compilers, linker and its report."""
