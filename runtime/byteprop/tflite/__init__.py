"""The `.tflite` file format: a bounded reader and a writer that know no single op."""
