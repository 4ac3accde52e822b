"""One exchange over the network within hard limits: a deadline over the whole of it, TLS verified, trouble in words.

Who is at the other end, and what is said there, is for the rooms above.
"""

import sys
from importlib import import_module

# httpx brings its own command line along (rich, pygments), httpcore its asynchronous half (anyio), if they find them: 80 ms, a tenth of a whole
# check, for what is never used here. Both do without. Hidden for this import alone.
_hidden = [name for name in ("httpx._main", "anyio") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]  # None: importing it is an ImportError
try:
    import_module("httpx")
finally:
    for _name in _hidden:
        del sys.modules[_name]
