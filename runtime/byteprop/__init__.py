"""int8 neural networks that give the same bits on a microcontroller and on a PC."""
