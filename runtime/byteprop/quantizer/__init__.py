"""Post-training quantization of float models."""
