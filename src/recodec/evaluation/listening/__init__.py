"""A listening test after MUSHRA (ITU-R BS.1534-3): made as a page, scored from its answers."""

from .make import make_test
from .score import Ratings, read_ratings, score_table, summarize_ratings, write_ratings

__all__ = ["Ratings", "make_test", "read_ratings", "score_table", "summarize_ratings", "write_ratings"]
