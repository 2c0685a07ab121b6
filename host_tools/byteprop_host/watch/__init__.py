"""A live view of a board that infers or learns, drawn in a terminal."""
