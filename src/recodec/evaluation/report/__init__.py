"""Pages and pictures of an evaluation."""

from .page import report_page

__all__ = ["report_page"]
