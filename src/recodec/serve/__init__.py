"""`recodec serve`: the codec over HTTP, for programs and for a page, and live calls between two pages.

Needs the extra `serve` (starlette, uvicorn, websockets). It uses the public names of `codec` and `ecdc`, and knows
nothing of the command line: what writes the model for the page is given to it.
"""

from .app import create_app
from .limits import Limits
from .runtime import Runtime
from .server import Address, run

__all__ = ["Address", "Limits", "Runtime", "create_app", "run"]
