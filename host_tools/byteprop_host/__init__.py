"""Build, flash, talk to and verify boards that run byteprop models."""
