# Modules come from the interpreter alone, never from a folder that a completion or a variable names.
import sys

sys.path[:] = [
    folder for folder in sys.path
    if any(folder.startswith(prefix + "/") for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix})
]
sys.dont_write_bytecode = True
