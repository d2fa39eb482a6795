/* A disk that is full from the n-th call on which needs room below a folder: for LD_PRELOAD.

   disk_full_from(n, m, folder, half)   from the n-th on, m of them; n = 0: never.  half: the n-th, if it is a write,
                                        takes half of its bytes.
   disk_full_calls()                    calls that needed room so far

   Counted are the calls that may take a block or an entry of a folder: open with O_CREAT of a file that is not there,
   mkdir, write, pwrite, writev, ftruncate, fallocate, fsync, fdatasync, rename.  Reads and removals go on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls, from, until;
static int half;
static char folder[PATH_MAX];

void disk_full_from(long n, long m, const char *below, int halves) {
    strncpy(folder, below, sizeof folder - 1);
    half = halves;
    atomic_store(&calls, 0);
    atomic_store(&until, n + m);
    atomic_store(&from, n);
}

long disk_full_calls(void) { return atomic_load(&calls); }

static int is_below(const char *path) {
    size_t length = strlen(folder);
    return length && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int of_handle(int handle) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return is_below(path);
}

/* 0: there is room; 1: the disk is full; 2: it is full after half of this call */
static int refused(int counts) {
    if (!counts) return 0;
    long call = atomic_fetch_add(&calls, 1) + 1, first = atomic_load(&from);
    if (!first || call < first || call >= atomic_load(&until)) return 0;
    if (half && call == first) return 2;
    errno = ENOSPC;
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int handle, const void *bytes, size_t size) {
    REAL(write);
    int answer = refused(of_handle(handle));
    if (answer == 1) return -1;
    return real(handle, bytes, answer == 2 ? (size + 1) / 2 : size);
}

ssize_t pwrite64(int handle, const void *bytes, size_t size, off64_t at) {
    REAL(pwrite64);
    int answer = refused(of_handle(handle));
    if (answer == 1) return -1;
    return real(handle, bytes, answer == 2 ? (size + 1) / 2 : size, at);
}

ssize_t pwrite(int handle, const void *bytes, size_t size, off_t at) { return pwrite64(handle, bytes, size, at); }

ssize_t writev(int handle, const struct iovec *parts, int count) {
    REAL(writev);
    return refused(of_handle(handle)) ? (errno = ENOSPC, -1) : real(handle, parts, count);
}

int ftruncate64(int handle, off64_t size) {
    REAL(ftruncate64);
    return refused(of_handle(handle)) ? (errno = ENOSPC, -1) : real(handle, size);
}

int ftruncate(int handle, off_t size) { return ftruncate64(handle, size); }

int posix_fallocate64(int handle, off64_t at, off64_t size) {
    REAL(posix_fallocate64);
    return refused(of_handle(handle)) ? ENOSPC : real(handle, at, size);
}

int posix_fallocate(int handle, off_t at, off_t size) { return posix_fallocate64(handle, at, size); }

int fsync(int handle) {
    REAL(fsync);
    return refused(of_handle(handle)) ? (errno = ENOSPC, -1) : real(handle);
}

int fdatasync(int handle) {
    REAL(fdatasync);
    return refused(of_handle(handle)) ? (errno = ENOSPC, -1) : real(handle);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return refused(is_below(path) && access(path, F_OK)) ? (errno = ENOSPC, -1) : real(path, mode);
}

int rename(const char *old, const char *new) {
    REAL(rename);
    return refused(is_below(new)) ? (errno = ENOSPC, -1) : real(old, new);
}

static int opened(const char *path, int flags) {
    return refused((flags & O_CREAT) && is_below(path) && access(path, F_OK)) ? (errno = ENOSPC, -1) : 0;
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return opened(path, flags) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return opened(path, flags) ? -1 : real(path, flags, mode);
}

int openat(int place, const char *path, int flags, ...) {
    REAL(openat);
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return opened(path, flags) ? -1 : real(place, path, flags, mode);
}
