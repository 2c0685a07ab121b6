"""Boards as data, and the serial ports of this computer."""
