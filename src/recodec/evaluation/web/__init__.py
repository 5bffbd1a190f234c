"""What the pages are made of: templates, styles and scripts, put together into one file that opens offline."""

from __future__ import annotations

from importlib import resources
from typing import Any

from ...errors import ConfigError


def asset(name: str) -> str:
    """The text of a file of this folder."""
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def render(template: str, *, styles: tuple[str, ...], scripts: tuple[str, ...], **values: Any) -> str:
    """A page from a template of this folder, its styles and scripts inside it.

    Values are escaped unless they are `Markup`.

    Raises:
        ConfigError: without `jinja2`.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise ConfigError("pages need jinja2: pip install 'recodec[eval]'") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    css = Markup("\n".join(asset(name) for name in styles))
    script = Markup("\n".join(asset(name) for name in scripts).replace('"use strict";\n', ""))
    return environment.from_string(asset(template)).render(css=css, script=Markup('"use strict";\n') + script, **values)


def script_json(value: Any) -> Any:
    """JSON that may stand inside a script element: no text in it can end the element."""
    import json

    from markupsafe import Markup

    return Markup(json.dumps(value).replace("<", "\\u003c"))
