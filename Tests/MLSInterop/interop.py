#!/usr/bin/env python3
"""Mixed groups of this package's MLS and of mls-rs (agentvault-mls-rs-uniffi), live.

usage: interop.py WORKBENCH
WORKBENCH is the built developers' program; its `mls-peer` holds our members. After every step all members must export
the same secret. mls-rs offers here: create, add, remove, commit, data, join by Welcome (not: external commits, Update
proposals, epoch authenticators), so external joins and updates are ours, and mls-rs processes them.
"""
import random
import subprocess
import sys

import mls_rs_uniffi as m

SUITE = m.CipherSuite.CURVE25519_AES128


class Ours:
    """The members behind `workbench mls-peer`."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "mls-peer", "--suite", "1"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, *words):
        line = " ".join(w.hex() or "-" if isinstance(w, bytes) else str(w) for w in words)
        self.process.stdin.write(line + "\n")
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise RuntimeError(f"{words[0]} {words[1]}: {' '.join(answer)}")
        return answer[1:]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def raw(word):
    return b"" if word == "-" else bytes.fromhex(word)


class Swift:
    def __init__(self, desk, name):
        self.desk, self.name, self.joined = desk, name, False

    def ask(self, *words):
        return self.desk.ask(self.name, *words)

    def package(self):
        return raw(self.ask("keypackage")[0])

    def create(self, group_id):
        self.ask("create", group_id)

    def join(self, welcome):
        self.ask("join", welcome)

    def external(self, info):
        return raw(self.ask("external", info)[0])

    def add(self, packages):
        return [raw(w) for w in self.ask("add", *packages)]

    def remove(self, names):
        return raw(self.ask("remove", *[self.ask("leaf", n)[0] for n in names])[0])

    def commit(self):
        return raw(self.ask("commit")[0])

    def merge(self, _):
        self.ask("merge")

    def take(self, message):
        return self.ask("process", message)

    def seal(self, data):
        return raw(self.ask("seal", data, b"aad")[0])

    def open(self, message):
        kind, name, data, *_ = self.ask("process", message)
        assert kind == "application", kind
        return name, raw(data)

    def export(self):
        return raw(self.ask("export", b"interop", b"context", 32)[0])

    def restart(self):
        self.ask("restart")


class Rust:
    def __init__(self, name):
        self.name = name
        self.client = m.Client(name.encode(), m.generate_signature_keypair(SUITE), m.client_config_default())
        self.identities = {}

    def package(self):
        return self.client.generate_key_package_message().to_bytes()

    def create(self, group_id):
        self.group = self.client.create_group(group_id)

    def join(self, welcome):
        self.group = self.client.join_group(None, m.Message.from_bytes(welcome)).group

    def add(self, packages):
        out = self.group.add_members([m.Message.from_bytes(p) for p in packages])
        return out.commit_message.to_bytes(), out.welcome_message.to_bytes()

    def remove(self, identities):
        return self.group.remove_members(identities).commit_message.to_bytes()

    def commit(self):
        return self.group.commit().commit_message.to_bytes()

    def merge(self, message):
        self.take(message)

    def take(self, message):
        return self.group.process_incoming_message(m.Message.from_bytes(message))

    def seal(self, data):
        return self.group.encrypt_application_message(data).to_bytes()

    def open(self, message):
        got = self.take(message)
        assert got.is_APPLICATION_MESSAGE(), got
        return None, got.data

    def export(self):
        return self.group.export_secret(b"interop", b"context", 32)

    def restart(self):
        self.group.write_to_storage()


class Room:
    """Everybody in one group; `told` checks that all agree."""

    def __init__(self, desk, creator, seed):
        self.desk, self.members, self.random, self.steps = desk, [creator], random.Random(seed), 0
        creator.create(b"room %d" % seed)

    def told(self, message, sender):
        for member in self.members:
            if member is not sender:
                member.take(message)

    def agree(self):
        self.steps += 1
        secrets = {member.export() for member in self.members}
        assert len(secrets) == 1, [(member.name, member.export().hex()) for member in self.members]
        ours = [member for member in self.members if isinstance(member, Swift)]
        assert len({member.ask("authenticator")[0] for member in ours}) <= 1

    def add(self, sender, newcomers):
        message, welcome = sender.add([n.package() for n in newcomers])
        self.told(message, sender)
        sender.merge(message)
        for newcomer in newcomers:
            newcomer.join(welcome)
        self.members += newcomers
        self.agree()

    def remove(self, sender, victim):
        if isinstance(sender, Rust):
            message = sender.remove([self.identity(victim)])
        else:
            message = sender.remove([victim.name])
        self.told(message, sender)
        sender.merge(message)
        self.members.remove(victim)
        self.agree()

    def identity(self, victim):
        assert isinstance(victim, Rust), "mls-rs names members by signing identities that only its own clients give"
        return victim.client.signing_identity()

    def commit(self, sender):
        message = sender.commit()
        self.told(message, sender)
        sender.merge(message)
        self.agree()

    def update(self, sender, committer):
        proposal = raw(sender.ask("propose-update")[0])
        self.told(proposal, sender)
        self.commit(committer)

    def external(self, newcomer, helper):
        message = newcomer.external(raw(helper.ask("groupinfo")[0]))
        self.told(message, newcomer)
        self.members.append(newcomer)
        self.agree()

    def talk(self, sender):
        sealed = [(b"%d" % n, sender.seal(b"%d" % n)) for n in range(4)]
        for member in self.members:
            if member is sender:
                continue
            order = sealed[:]
            self.random.shuffle(order)
            for data, message in order:
                name, got = member.open(message)
                assert got == data and name in (None, sender.name)


def scripted(desk):
    """Each side creates, adds, commits, removes, sends out of order; ours joins externally, updates and restarts."""
    for seed, swift_creates in enumerate([True, False]):
        ann, bob = Swift(desk, f"ann{seed}"), Rust(f"bob{seed}")
        creator, other = (ann, bob) if swift_creates else (bob, ann)
        room = Room(desk, creator, seed)
        room.add(creator, [other])
        cid, dan, eve = Swift(desk, f"cid{seed}"), Rust(f"dan{seed}"), Rust(f"eve{seed}")
        room.add(other, [cid, dan])
        for member in list(room.members):
            room.commit(member)
            room.talk(member)
        room.update(ann, bob)
        room.update(cid, ann)
        room.add(cid, [eve])
        room.external(Swift(desk, f"fay{seed}"), ann)
        room.commit(bob)
        for member in room.members:
            member.restart()
        room.talk(eve)
        room.remove(bob, dan)
        room.remove(ann, eve)
        room.remove(ann, cid)
        room.commit(bob)
        room.talk(ann)
        print(f"scripted {'ours' if swift_creates else 'theirs'} creates: {room.steps} epochs agree")


def wandering(desk, seed, steps):
    """A random history."""
    dice = random.Random(seed)
    room = Room(desk, Swift(desk, f"w{seed}-0") if seed % 2 else Rust(f"w{seed}-0"), 100 + seed)
    for number in range(1, steps + 1):
        sender = dice.choice(room.members)
        ours = [x for x in room.members if isinstance(x, Swift)]
        choice = dice.randrange(6)
        if choice <= 1 or len(room.members) < 3:
            names = [f"w{seed}-{number}-{i}" for i in range(dice.randint(1, 3))]
            room.add(sender, [Swift(desk, n) if dice.random() < 0.5 else Rust(n) for n in names])
        elif choice == 2 and len(room.members) > 3:
            victims = [x for x in room.members if x is not sender and (isinstance(sender, Swift) or isinstance(x, Rust))]
            if victims:
                room.remove(sender, dice.choice(victims))
        elif choice == 3 and len(ours) > 1:
            room.update(ours[0], dice.choice([x for x in room.members if x is not ours[0]]))
        elif choice == 4 and ours:
            room.external(Swift(desk, f"w{seed}-{number}-x"), ours[0])
        else:
            room.commit(sender)
        room.talk(dice.choice(room.members))
    print(f"random history {seed}: {room.steps} epochs agree, {len(room.members)} members")


def main():
    desk = Ours(sys.argv[1])
    scripted(desk)
    for seed in range(4):
        wandering(desk, seed, 25)
    desk.close()
    print("interoperates with mls-rs")


if __name__ == "__main__":
    main()
