#ifndef POSTHOUSE_FAULT_SHIM_H
#define POSTHOUSE_FAULT_SHIM_H

#include <stdint.h>

/// What the program that injects faults and the program that suffers them share: a file that both have mapped.
///
/// The suffering program is started with `LD_PRELOAD` on this library, `POSTHOUSE_FAULT_CONTROL` naming the file and
/// `POSTHOUSE_FAULT_FOLDER` the folder whose files are meant. All else passes through.
///
/// `POSTHOUSE_FAULT_CLOCK`, by itself: so many seconds is the wall clock ahead, or behind if below zero.

/// Kinds of calls, as bits of `kinds`.
enum {
    POSTHOUSE_FAULT_WRITE = 1,      // write, pwrite
    POSTHOUSE_FAULT_SYNC = 2,       // fsync, fdatasync
    POSTHOUSE_FAULT_SIZE = 4,       // ftruncate, fallocate, posix_fallocate
    POSTHOUSE_FAULT_NAME = 8,       // rename, unlink
    POSTHOUSE_FAULT_READ = 16,      // read, pread
    POSTHOUSE_FAULT_OPEN = 32,      // open
};

enum {
    POSTHOUSE_FAULT_NONE = 0,
    POSTHOUSE_FAULT_KILL = 1,        // SIGKILL instead of the call
    POSTHOUSE_FAULT_KILL_TORN = 2,   // a write does its first half, other calls all; then SIGKILL
    POSTHOUSE_FAULT_KILL_AFTER = 3,  // SIGKILL after the call
    POSTHOUSE_FAULT_ERROR = 4,       // the call fails with `argument` as errno
    POSTHOUSE_FAULT_SHORT = 5,       // a write does half of what was asked and says so
    POSTHOUSE_FAULT_DELAY = 6,       // the call takes `argument` microseconds more
};

struct posthouse_fault_control {
    /// Calls of the kinds in `kinds` so far, over all processes that had the file.
    volatile uint64_t calls;
    /// The fault falls on the call that makes `calls` reach this, and on `span` - 1 after it; 0: never.
    volatile uint64_t at;
    volatile uint64_t span;
    volatile uint64_t kinds;
    volatile uint64_t action;
    volatile uint64_t argument;
    /// How often a fault fell, and the kind of the last call that it fell on.
    volatile uint64_t fired;
    volatile uint64_t fired_kind;
};

#endif
