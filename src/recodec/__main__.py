"""`python -m recodec`, which is how `torchrun` starts it."""

from .cli import main

main()
