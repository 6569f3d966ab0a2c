#!/usr/bin/env python3
"""Our MLS beside mls-rs, in one run: size by size, each library in turn, several rounds, the best median of each.

usage: compare.py WORKBENCH [--rounds 3] [--runs 9] [SIZE ...]
Prints a row an operation and size: ms of both, how many times faster ours is (suite 1, the one that both have; suite 3 beside it).
Ends with the geometric mean; exit 1 when a row is slower than mls-rs, or the mean below 2.
"""
import argparse
import json
import math
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def rows(command, into):
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        row = json.loads(line)
        if row["ms"] is None:
            continue
        key = (row["operation"], row["n"], row["library"], row["suite"])
        into[key] = min(into.get(key, math.inf), row["ms"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workbench")
    parser.add_argument("sizes", nargs="*", type=int, default=[2, 10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    best = {}
    for size in options.sizes:
        for _ in range(options.rounds):
            runs = ["--runs", str(options.runs)]
            rows([options.workbench, "mls-bench", "--sizes", str(size), *runs], best)
            rows([sys.executable, os.path.join(HERE, "bench_mls_rs.py"), str(size), *runs], best)
    factors = []
    print(f"{'operation':26} {'n':>5} {'mls-rs':>9} {'suite 1':>9} {'':>7} {'suite 3':>9}")
    for (operation, size, library, _), theirs in best.items():
        ours = best.get((operation, size, "posthouse", 1))
        if library != "mls-rs" or ours is None:
            continue
        factors.append(theirs / ours)
        other = best.get((operation, size, "posthouse", 3), math.nan)
        print(f"{operation:26} {size:5} {theirs:9.3f} {ours:9.3f} {factors[-1]:6.2f}x {other:9.3f}")
    mean = math.exp(sum(map(math.log, factors)) / len(factors))
    print(f"{len(factors)} rows: {mean:.2f} times as fast on the geometric mean, at least {min(factors):.2f}")
    sys.exit(0 if min(factors) >= 1 and mean >= 2 else 1)


if __name__ == "__main__":
    main()
