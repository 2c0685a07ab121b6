"""Helpers without knowledge of models: arguments, files, paths, warnings."""
