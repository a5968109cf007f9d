/*
 * Faults of a disk, for the tests: a library that is loaded before the C library (LD_PRELOAD) and that
 * lets chosen calls on files below one folder fail, or writes all of them down.
 *
 * FAULTS_DIR    the folder, absolute; calls on files elsewhere are left alone
 * FAULTS_KIND   what goes wrong:
 *                 enospc, eio   the call fails
 *                 rofs          opening for writing, making, renaming and removing files fail
 *                 torn          half of the bytes are written, then the process is killed
 *                 kill          the process is killed before the call
 *                 hang          the call never returns
 *                 count         nothing; the number of calls is written to FAULTS_COUNT at the end
 * FAULTS_OP     the calls that are counted: write, blob (writes and openings below blobs/), sync, or change (any
 *               call that changes the folder); default write
 * FAULTS_AT     the number of the first call that goes wrong, from 1
 * FAULTS_ONCE   if set, only that one does
 * FAULTS_COUNT  a file that gets the number of counted calls, once for each of them
 * FAULTS_CLOCK  seconds that are added to the time of day from its FAULTS_AT-th reading on
 * FAULTS_LOG    a file that gets all changes in their order; see record() for its form
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 4096, NAME = 4096 };
enum kind { NONE, ENOSPC_, EIO_, ROFS, TORN, KILL, HANG };
enum op { WRITE = 1, BLOB = 2, SYNC = 4, CHANGE = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[NAME];
static size_t folder_length;
static char *names[FILES];
static enum kind kind;
static enum op counted;
static long first, calls, readings;
static int once, log_file = -1;
static const char *count_file;
static int64_t clock_change;

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("FAULTS_DIR");
    if (!text) return;
    snprintf(folder, sizeof folder, "%s", text);
    folder_length = strlen(folder);
    text = getenv("FAULTS_KIND");
    if (text) {
        kind = !strcmp(text, "enospc") ? ENOSPC_ : !strcmp(text, "eio") ? EIO_
             : !strcmp(text, "rofs") ? ROFS : !strcmp(text, "torn") ? TORN
             : !strcmp(text, "kill") ? KILL : !strcmp(text, "hang") ? HANG : NONE;
    }
    text = getenv("FAULTS_OP");
    counted = !text || !strcmp(text, "write") ? WRITE : !strcmp(text, "blob") ? BLOB
            : !strcmp(text, "sync") ? SYNC : CHANGE;
    text = getenv("FAULTS_AT");
    first = text ? atol(text) : 1;
    once = getenv("FAULTS_ONCE") != NULL;
    count_file = getenv("FAULTS_COUNT");
    text = getenv("FAULTS_CLOCK");
    clock_change = text ? atoll(text) : 0;
    text = getenv("FAULTS_LOG");
    if (text) log_file = (int)syscall(SYS_openat, AT_FDCWD, text,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path below the folder, or NULL. The folder itself is "". */
static const char *below(const char *path) {
    if (!folder_length || !path || strncmp(path, folder, folder_length)) return NULL;
    path += folder_length;
    return *path == '/' ? path + 1 : *path ? NULL : path;
}

static const char *name_of(int file) { return file >= 0 && file < FILES ? names[file] : NULL; }

static void all(int file, const void *bytes, size_t length) {
    while (length) {
        ssize_t done = syscall(SYS_write, file, bytes, length);
        if (done <= 0) return;
        bytes = (const char *)bytes + done;
        length -= (size_t)done;
    }
}

/* One line "LETTER OFFSET LENGTH NAME", and for a write (W) LENGTH bytes after it; for a renaming (R) LENGTH
 * bytes with the new name. C makes a file, M a folder, T sets a file's length to OFFSET, S brings a file or
 * folder to the disk, U removes a name. */
static void record(char letter, const char *name, uint64_t offset, const void *bytes, size_t length) {
    if (log_file < 0) return;
    char head[NAME + 64];
    int size = snprintf(head, sizeof head, "%c %llu %zu %s\n", letter, (unsigned long long)offset, length, name);
    all(log_file, head, (size_t)size);
    if (bytes) all(log_file, bytes, length);
}

/* Whether a call goes wrong; then errno is set, unless it is to be torn. To be called with the lock. */
static int wrong(enum op op, const char *name) {
    int blob = !strncmp(name, "blobs/", 6) && (op == WRITE || op == CHANGE);
    int counts = counted == CHANGE || (counted == BLOB ? blob : counted == op);
    if (!counts) return 0;
    long call = ++calls;
    if (count_file) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        char text[32];
        int size = snprintf(text, sizeof text, "%ld", call);
        if (file >= 0) {
            all(file, text, (size_t)size);
            syscall(SYS_close, file);
        }
    }
    if (once ? call != first : call < first) return 0;
    switch (kind) {
    case ENOSPC_: errno = ENOSPC; return 1;
    case EIO_: errno = EIO; return 1;
    case TORN: return 1;
    case KILL: kill(getpid(), SIGKILL); return 0;
    case HANG: for (;;) pause();
    default: return 0;
    }
}

static int refused(enum op op, const char *name) {
    if (kind == ROFS) {
        errno = EROFS;
        return 1;
    }
    return wrong(op, name);
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
    const char *name = below(path);
    if (!name) return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int file = -1;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (writes && refused(CHANGE, name)) goto end;
    int fresh = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
    file = (int)syscall(SYS_openat, at, path, flags, mode);
    if (file < 0) goto end;
    if (file < FILES) {
        free(names[file]);
        names[file] = strdup(name);
    }
    if (fresh) record('C', name, 0, NULL, 0);
    else if (flags & O_TRUNC) record('T', name, 0, NULL, 0);
end:
    pthread_mutex_unlock(&lock);
    return file;
}

#define WITH_MODE(flags)                                                                            \
    mode_t mode = 0;                                                                                \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                          \
        va_list rest;                                                                               \
        va_start(rest, flags);                                                                      \
        mode = va_arg(rest, mode_t);                                                                \
        va_end(rest);                                                                               \
    }

int open(const char *path, int flags, ...) {
    WITH_MODE(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    WITH_MODE(flags)
    return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int at, const char *path, int flags, ...) {
    WITH_MODE(flags)
    return open_any(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
    WITH_MODE(flags)
    return open_any(at, path, flags | O_LARGEFILE, mode);
}

int close(int file) {
    if (file >= 0 && file < FILES && names[file]) {
        pthread_mutex_lock(&lock);
        free(names[file]);
        names[file] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_close, file);
}

static ssize_t write_any(int file, const void *bytes, size_t length, off64_t at, int positioned) {
    const char *name = name_of(file);
    if (!name) {
        return positioned ? syscall(SYS_pwrite64, file, bytes, length, at) : syscall(SYS_write, file, bytes, length);
    }
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    int torn = 0;
    if (wrong(WRITE, name)) {
        if (kind != TORN) goto end;
        torn = 1;
        length /= 2;
    }
    if (!positioned) at = syscall(SYS_lseek, file, 0, SEEK_CUR);
    done = positioned ? syscall(SYS_pwrite64, file, bytes, length, at) : syscall(SYS_write, file, bytes, length);
    if (torn) kill(getpid(), SIGKILL);
    if (done > 0) record('W', name, (uint64_t)at, bytes, (size_t)done);
end:
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int file, const void *bytes, size_t length) { return write_any(file, bytes, length, 0, 0); }
ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) { return write_any(file, bytes, length, at, 1); }
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) { return write_any(file, bytes, length, at, 1); }

static int sync_any(int file, long number) {
    const char *name = name_of(file);
    if (!name) return (int)syscall(number, file);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!wrong(SYNC, name)) {
        result = (int)syscall(number, file);
        if (!result) record('S', name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int file) { return sync_any(file, SYS_fsync); }
int fdatasync(int file) { return sync_any(file, SYS_fdatasync); }

static int truncate_any(int file, off64_t length) {
    const char *name = name_of(file);
    if (!name) return (int)syscall(SYS_ftruncate, file, length);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!wrong(WRITE, name)) {
        result = (int)syscall(SYS_ftruncate, file, length);
        if (!result) record('T', name, (uint64_t)length, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int file, off_t length) { return truncate_any(file, length); }
int ftruncate64(int file, off64_t length) { return truncate_any(file, length); }

int rename(const char *from, const char *to) {
    const char *name = below(from), *now = below(to);
    if (!name || !now) return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused(CHANGE, name)) {
        result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
        if (!result) record('R', name, 0, now, strlen(now));
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) {
    const char *name = below(path);
    if (!name) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused(CHANGE, name)) {
        result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
        if (!result) record('U', name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    const char *name = below(path);
    if (!name) return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused(CHANGE, name)) {
        result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
        if (!result) record('M', name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, which, time);
    if (!result && which == CLOCK_REALTIME && clock_change) {
        if (__atomic_add_fetch(&readings, 1, __ATOMIC_RELAXED) >= first) time->tv_sec += clock_change;
    }
    return result;
}
