/* Stands before the C library (LD_PRELOAD) and makes one call that needs room on the disk fail as on a full one.
 *
 * NO_SPACE_BELOW  the folder in which calls are counted
 * NO_SPACE_AT     number of the call that fails, from 1; 0: none
 * NO_SPACE_LOG    a file outside of that folder, which gets the call that failed with the path of its file; where
 *                 none is to fail, all calls
 *
 * Calls that count: making a file or a folder, writing, syncing, renaming, copying and lengthening. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long count;

/* Whether this call fails; `path` is absolute or relative to the current folder. */
static int fails(const char *call, const char *path) {
    const char *below = getenv("NO_SPACE_BELOW"), *at = getenv("NO_SPACE_AT"), *log = getenv("NO_SPACE_LOG");
    char whole[2 * PATH_MAX];
    if (!below || !at || !log || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, PATH_MAX)) return 0;
        strcat(whole, "/");
        strncat(whole, path, PATH_MAX - 1);
        path = whole;
    }
    size_t length = strlen(below);
    if (strncmp(path, below, length) || (path[length] != '/' && path[length] != 0)) return 0;
    pthread_mutex_lock(&lock);
    int hit = ++count == atol(at), told = hit || atol(at) == 0;
    pthread_mutex_unlock(&lock);
    if (!told) return 0;
    int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    char text[3 * PATH_MAX];
    int written = snprintf(text, sizeof text, "%s %s\n", call, path);
    syscall(SYS_write, file, text, (size_t)written);
    syscall(SYS_close, file);
    if (hit) errno = ENOSPC;
    return hit;
}

static int fails_at(const char *call, int fd) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int saved = errno;
    ssize_t length = readlink(name, path, sizeof path - 1);
    errno = saved;
    /* Pipes and sockets have names without a slash. */
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return fails(call, path);
}

#define NEXT(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (fails_at("write", fd)) return -1;
    return NEXT(ssize_t, write, int, const void *, size_t)(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int number) {
    if (fails_at("writev", fd)) return -1;
    return NEXT(ssize_t, writev, int, const struct iovec *, int)(fd, parts, number);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t length, unsigned flags) {
    if (fails_at("copy_file_range", to)) return -1;
    return NEXT(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned)(from, at, to, to_at,
                                                                                          length, flags);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t length) {
    if (fails_at("sendfile", to)) return -1;
    return NEXT(ssize_t, sendfile64, int, int, off64_t *, size_t)(to, from, at, length);
}

int fsync(int fd) {
    if (fails_at("fsync", fd)) return -1;
    return NEXT(int, fsync, int)(fd);
}

int fdatasync(int fd) {
    if (fails_at("fdatasync", fd)) return -1;
    return NEXT(int, fdatasync, int)(fd);
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
        if (access(path, F_OK) && fails("create", path)) return -1;
    }
    return NEXT(int, open64, const char *, int, ...)(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    if (access(path, F_OK) && fails("mkdir", path)) return -1;
    return NEXT(int, mkdir, const char *, mode_t)(path, mode);
}

int rename(const char *from, const char *to) {
    if (fails("rename", to)) return -1;
    return NEXT(int, rename, const char *, const char *)(from, to);
}
