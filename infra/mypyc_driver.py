"""Run by a Python with mypyc on its path: makes C of the modules that are named, and says as JSON what to compile.

    python mypyc_driver.py GROUP SUFFIX MODULE...     in the folder above the packages; C goes to the folder c

SUFFIX is that of the extension modules' files, which may be for another machine than this one.
"""

import json
import sys
import sysconfig

from mypyc.build import mypycify

if __name__ == "__main__":
    _, group, suffix, *modules = sys.argv
    sysconfig.get_config_vars()["EXT_SUFFIX"] = suffix
    extensions = mypycify(modules, opt_level="2", debug_level="0", target_dir="c", group_name=group)
    told = [{"name": each.name, "sources": each.sources, "include": each.include_dirs} for each in extensions]
    print(json.dumps(told))
