"""Runs code as the image's user would: threads, a database, TLS, compression, and a program of its own."""

import json
import pathlib
import platform
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor


def check(what: str, found: object, wanted: object) -> None:
    """End with the difference unless both are the same."""
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


with ThreadPoolExecutor(4) as pool:
    check("threads", list(pool.map(lambda number: number**2, range(5))), [0, 1, 4, 9, 16])
with sqlite3.connect(":memory:") as database:
    check("sqlite", database.execute("select 6 * 7").fetchone(), (42,))
check("zlib", zlib.decompress(zlib.compress(b"swarm" * 100)), b"swarm" * 100)
check("json", json.loads('{"ä": [1, null]}'), {"ä": [1, None]})
check("tls", ssl.create_default_context().verify_mode, ssl.CERT_REQUIRED)
with tempfile.TemporaryDirectory(dir=pathlib.Path.home()) as folder:
    program = pathlib.Path(folder) / "program.py"
    program.write_text("print(sum(range(10)))")
    said = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    check("a program of its own", said.stdout, "45\n")
print(f"ok python {platform.python_version()}")
