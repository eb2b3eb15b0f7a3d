#!/usr/bin/env python3
"""symbols.py LIBRARY PREFIX: every exported symbol begins with PREFIX, and there is at least one."""
import subprocess
import sys

library, prefix = sys.argv[1:]
lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout.splitlines()
names = [line.split()[-1] for line in lines]
wrong = [name for name in names if not name.startswith(prefix)]
print(f"{library}: {len(names)} exported", *wrong, sep="\n")
sys.exit(not names or bool(wrong))
