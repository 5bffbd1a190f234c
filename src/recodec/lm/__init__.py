"""The code language model in exact arithmetic (`docs/exact-entropy.md`). NumPy, no torch."""
