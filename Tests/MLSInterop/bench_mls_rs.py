#!/usr/bin/env python3
"""Measures mls-rs (agentvault-mls-rs-uniffi) over the operations and sizes of `workbench mls-bench`, in the same output.

usage: bench_mls_rs.py [--runs 9] [SIZE ...]
One JSON object a line: library, suite, operation, n, median ms, bytes. One thread; messages as bytes.
"""
import argparse
import json
import os
import statistics
import time

os.environ["RAYON_NUM_THREADS"] = "1"  # before the library is loaded: one thread on both sides
import mls_rs_uniffi as m  # noqa: E402

SUITE = m.CipherSuite.CURVE25519_AES128


def client(name):
    return m.Client(name.encode(), m.generate_signature_keypair(SUITE), m.client_config_default())


def package(who):
    return who.generate_key_package_message().to_bytes()


def take(group, data):
    return group.process_incoming_message(m.Message.from_bytes(data))


class Bench:
    def __init__(self, size, runs):
        self.size, self.runs = size, runs
        self.ann = client("member 0").create_group(None)
        self.clients = [client(f"member {i}") for i in range(1, max(2, size))]
        out = self.ann.add_members([m.Message.from_bytes(package(c)) for c in self.clients])
        take(self.ann, out.commit_message.to_bytes())
        self.welcome = out.welcome_message.to_bytes()
        self.bob_index = (len(self.clients) - 1) // 2 + 1
        self.bob = self.join(self.clients[self.bob_index - 1], self.welcome)

    @staticmethod
    def join(who, welcome):
        return who.join_group(None, m.Message.from_bytes(welcome)).group

    def timed(self, times, body):
        start = time.perf_counter()
        result = body()
        times.append((time.perf_counter() - start) * 1e3)
        return result

    def report(self, operation, times, count):
        print(json.dumps({"v": 1, "library": "mls-rs", "suite": 1, "operation": operation, "n": self.size,
                          "ms": round(statistics.median(times), 4), "bytes": count}), flush=True)

    def commits(self, state):
        make, process, count = [], [], 0
        for _ in range(self.runs):
            def commit():
                data = self.ann.commit().commit_message.to_bytes()
                take(self.ann, data)
                return data
            data = self.timed(make, commit)
            count = len(data)
            self.timed(process, lambda: take(self.bob, data))
        self.report(f"commit with path, {state}", make, count)
        self.report(f"process commit, {state}", process, count)

    def additions(self):
        make, process, join, count, welcome = [], [], [], 0, b""
        for number in range(self.runs):
            new = client(f"new {number}")
            published = package(new)

            def add():
                out = self.ann.add_members([m.Message.from_bytes(published)])
                data, welcome = out.commit_message.to_bytes(), out.welcome_message.to_bytes()
                take(self.ann, data)
                return data, welcome
            data, welcome = self.timed(make, add)
            count = len(data)
            self.timed(process, lambda: take(self.bob, data))
            self.timed(join, lambda: self.join(new, welcome))
        self.report("add 1 member (no path)", make, count)
        self.report("process that add", process, count)
        self.report("join by Welcome", join, len(welcome))

    def removals(self):
        make, count = [], 0
        rest = [c for i, c in enumerate(self.clients, 1) if i != self.bob_index]
        for number in range(min(self.runs, len(rest))):
            victim = rest[number * 7 % len(rest)].signing_identity() if len(rest) > 20 else rest[number].signing_identity()

            def remove():
                data = self.ann.remove_members([victim]).commit_message.to_bytes()
                take(self.ann, data)
                return data
            data = self.timed(make, remove)
            count = len(data)
            take(self.bob, data)
        self.report("remove 1 (warm)", make, count)

    def messages(self):
        seal, open_, count, data = [], [], 0, bytes(1024)
        for _ in range(max(self.runs, 101)):
            sealed = self.timed(seal, lambda: self.ann.encrypt_application_message(data).to_bytes())
            count = len(sealed)
            self.timed(open_, lambda: take(self.bob, sealed))
        self.report("encrypt 1 KiB", seal, count)
        self.report("decrypt 1 KiB", open_, count)

    def run(self):
        # Joins of the warming members come first: their Welcome is of this epoch.
        step = max(1, self.size // 32)
        self.held = {i: self.join(self.clients[i - 1], self.welcome)
                     for i in range(1, self.size, step) if i != self.bob_index}
        before = [self.ann, self.bob]
        make, process, count, log = [], [], 0, []
        for _ in range(self.runs):
            def commit():
                data = self.ann.commit().commit_message.to_bytes()
                take(self.ann, data)
                return data
            data = self.timed(make, commit)
            count = len(data)
            log.append(data)
            self.timed(process, lambda: take(self.bob, data))
        self.report("commit with path, cold", make, count)
        self.report("process commit, cold", process, count)
        for group in self.held.values():
            for data in log:
                take(group, data)
        groups = [*before, *self.held.values()]
        for group in [*self.held.values(), self.bob]:
            data = group.commit().commit_message.to_bytes()
            for each in groups:
                take(each, data)
        self.commits("warm")
        self.additions()
        if self.size > 2:
            self.removals()
        self.messages()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int, default=[2, 10, 100, 1000])
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    for size in options.sizes:
        Bench(size, options.runs).run()


if __name__ == "__main__":
    main()
