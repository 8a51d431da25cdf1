"""How functions are called: apart from the library's other modules, so that a command line loads nothing for it."""

ALIAS = "live"
"""Names the version that a deployment published last; nothing calls a function without it."""
