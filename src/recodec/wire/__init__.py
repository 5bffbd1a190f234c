"""Bits: packets, tables and the coder. Standard library and NumPy; nothing of audio."""
