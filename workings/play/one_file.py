"""The page as one file: a browser gets it in one answer, and opens it without a web server, too.

Each module becomes a ``data:`` address in an import map, under a name that does not depend on where the file is.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from urllib.parse import quote

PREFIX = "workings/"
IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)(["`])(\.{1,2}/[^"`]+)""")
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
SCRIPT = re.compile(r"<script\b[^>]*></script>\s*|<!-- All modules.*?-->\s*|<link rel=\"modulepreload\"[^>]*>\s*")
ICON = re.compile(r'href="([^"]+\.svg)"')
SAFE = " !$&'()*+,-./:;=>?@[]^_`{|}~"  # what may stand in a data: address within a script


def one_file(contents: Mapping[str, bytes], nonce: str = "") -> bytes:
    """Return the page ``index.html`` with all its styles and modules inside.

    Parameters
    ----------
    contents : mapping of str to bytes
        The files of the site by their path.
    nonce : str
        The mark by which a Content-Security-Policy knows the page's own scripts and styles; empty for none.
    """
    mark = f' nonce="{nonce}"' if nonce else ""
    modules = {name: content.decode() for name, content in contents.items() if name.endswith(".js")}
    addresses = {PREFIX + name: data_address("text/javascript", named(name, code)) for name, code in modules.items()}
    imports = json.dumps({"imports": addresses}, separators=(",", ":"))
    start = f'<script type="importmap"{mark}>{imports}</script>\n'
    start += f'  <script type="module"{mark}>import "{PREFIX}main.js";</script>\n'
    page = SCRIPT.sub("", contents["index.html"].decode())
    page = STYLE.sub(lambda found: f"<style{mark}>\n{contents[found[1]].decode()}</style>", page)
    page = ICON.sub(lambda found: f'href="{data_address("image/svg+xml", contents[found[1]].decode())}"', page)
    return page.replace("</head>", f"  {start}</head>").encode()


def named(module: str, code: str) -> str:
    """Return a module's code with the names of other modules in place of relative paths.

    >>> named("view/page.js", 'import { words } from "../strings.js";')
    'import { words } from "workings/strings.js";'
    """
    folder = posixpath.dirname(module)

    def full(found: re.Match[str]) -> str:
        return found[1] + found[2] + PREFIX + posixpath.normpath(posixpath.join(folder, found[3]))

    return IMPORT.sub(full, code)


def data_address(kind: str, text: str) -> str:
    """Return an address that contains a text.

    >>> data_address("text/plain", "100 % <b>")
    'data:text/plain;charset=utf-8,100 %25 %3Cb>'
    """
    return f"data:{kind};charset=utf-8,{quote(text, safe=SAFE)}"
