// Faults for a program's calls on the files below one folder: at the N-th call, chosen live by another process; and a clock that is wrong.
// See FaultShim.h.
#define _GNU_SOURCE
#include "FaultShim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static struct posthouse_fault_control *control;
static const char *folder;
static size_t folder_length;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POSTHOUSE_FAULT_CONTROL");
    folder = getenv("POSTHOUSE_FAULT_FOLDER");
    if (!path || !folder) return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) return;
    folder_length = strlen(folder);
    control = map;
}

static int below(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

static int is_ours(int file) {
    if (!control) return 0;
    char name[32], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/// What is to happen to this call. Dies here, or says what the caller does.
static uint64_t judge(uint64_t kind) {
    if (!(__atomic_load_n(&control->kinds, __ATOMIC_ACQUIRE) & kind)) return POSTHOUSE_FAULT_NONE;
    uint64_t call = __atomic_add_fetch(&control->calls, 1, __ATOMIC_ACQ_REL);
    uint64_t at = __atomic_load_n(&control->at, __ATOMIC_ACQUIRE);
    if (at == 0 || call < at || call - at >= __atomic_load_n(&control->span, __ATOMIC_ACQUIRE)) return POSTHOUSE_FAULT_NONE;
    uint64_t action = __atomic_load_n(&control->action, __ATOMIC_ACQUIRE);
    __atomic_store_n(&control->fired_kind, kind, __ATOMIC_RELEASE);
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_ACQ_REL);
    if (action == POSTHOUSE_FAULT_KILL) die();
    if (action == POSTHOUSE_FAULT_DELAY) {
        usleep((useconds_t)control->argument);
        return POSTHOUSE_FAULT_NONE;
    }
    return action;
}

/// The function itself, as `real`.
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/// What a call with a path does; one with a file costs a look at /proc, so the kinds come first.
static uint64_t judge_path(uint64_t kind, const char *path, const char *other) {
    if (!control || !(below(path) || (other && below(other)))) return POSTHOUSE_FAULT_NONE;
    return judge(kind);
}

static uint64_t judge_file(uint64_t kind, int file) {
    if (!control || !(control->kinds & kind) || !is_ours(file)) return POSTHOUSE_FAULT_NONE;
    return judge(kind);
}

/// A call that returns -1 or something better.
#define PLAIN(type, verdict, call) \
    uint64_t action = verdict; \
    if (action == POSTHOUSE_FAULT_ERROR) { \
        errno = (int)control->argument; \
        return -1; \
    } \
    type result = call; \
    if (action == POSTHOUSE_FAULT_KILL_AFTER || action == POSTHOUSE_FAULT_KILL_TORN) die(); \
    return result

/// A write that may be cut in half, and be the last thing that the program does.
#define WRITE(whole, half) \
    uint64_t action = judge_file(POSTHOUSE_FAULT_WRITE, file); \
    if (action == POSTHOUSE_FAULT_ERROR) { \
        errno = (int)control->argument; \
        return -1; \
    } \
    int halved = count > 1 && (action == POSTHOUSE_FAULT_SHORT || action == POSTHOUSE_FAULT_KILL_TORN); \
    ssize_t result = halved ? half : whole; \
    if (action == POSTHOUSE_FAULT_KILL_AFTER || action == POSTHOUSE_FAULT_KILL_TORN) die(); \
    return result

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(write);
    WRITE(real(file, bytes, count), real(file, bytes, count / 2));
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    REAL(pwrite);
    WRITE(real(file, bytes, count, offset), real(file, bytes, count / 2, offset));
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    WRITE(real(file, bytes, count, offset), real(file, bytes, count / 2, offset));
}

int fsync(int file) {
    REAL(fsync);
    PLAIN(int, judge_file(POSTHOUSE_FAULT_SYNC, file), real(file));
}

int fdatasync(int file) {
    REAL(fdatasync);
    PLAIN(int, judge_file(POSTHOUSE_FAULT_SYNC, file), real(file));
}

int ftruncate(int file, off_t size) {
    REAL(ftruncate);
    PLAIN(int, judge_file(POSTHOUSE_FAULT_SIZE, file), real(file, size));
}

int ftruncate64(int file, off64_t size) {
    REAL(ftruncate64);
    PLAIN(int, judge_file(POSTHOUSE_FAULT_SIZE, file), real(file, size));
}

int fallocate(int file, int mode, off_t offset, off_t size) {
    REAL(fallocate);
    PLAIN(int, judge_file(POSTHOUSE_FAULT_SIZE, file), real(file, mode, offset, size));
}

/// Says its error by its result, not by errno.
#define ALLOCATE(call) \
    uint64_t action = judge_file(POSTHOUSE_FAULT_SIZE, file); \
    if (action == POSTHOUSE_FAULT_ERROR) return (int)control->argument; \
    int result = call; \
    if (action == POSTHOUSE_FAULT_KILL_AFTER || action == POSTHOUSE_FAULT_KILL_TORN) die(); \
    return result

int posix_fallocate(int file, off_t offset, off_t size) {
    REAL(posix_fallocate);
    ALLOCATE(real(file, offset, size));
}

int posix_fallocate64(int file, off64_t offset, off64_t size) {
    REAL(posix_fallocate64);
    ALLOCATE(real(file, offset, size));
}

int rename(const char *from, const char *to) {
    REAL(rename);
    PLAIN(int, judge_path(POSTHOUSE_FAULT_NAME, from, to), real(from, to));
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    REAL(renameat2);
    PLAIN(int, judge_path(POSTHOUSE_FAULT_NAME, from, to), real(from_folder, from, to_folder, to, flags));
}

int unlink(const char *path) {
    REAL(unlink);
    PLAIN(int, judge_path(POSTHOUSE_FAULT_NAME, path, NULL), real(path));
}

ssize_t read(int file, void *bytes, size_t count) {
    REAL(read);
    PLAIN(ssize_t, judge_file(POSTHOUSE_FAULT_READ, file), real(file, bytes, count));
}

ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
    REAL(pread);
    PLAIN(ssize_t, judge_file(POSTHOUSE_FAULT_READ, file), real(file, bytes, count, offset));
}

ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) {
    REAL(pread64);
    PLAIN(ssize_t, judge_file(POSTHOUSE_FAULT_READ, file), real(file, bytes, count, offset));
}

/// Only those that may make a file have a mode.
#define OPEN \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    } \
    PLAIN(int, judge_path(POSTHOUSE_FAULT_OPEN, path, NULL), real(path, flags, mode))

int open(const char *path, int flags, ...) {
    REAL(open);
    OPEN;
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    OPEN;
}

/// Seconds that the wall clock is ahead. Asked for at each call: a clock is read before the constructor has run.
static time_t clock_offset(void) {
    const char *seconds = getenv("POSTHOUSE_FAULT_CLOCK");
    return seconds ? (time_t)strtoll(seconds, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += clock_offset();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    if (result == 0 && time) *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *seconds) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}
