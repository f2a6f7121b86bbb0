/* SPDX-License-Identifier: MIT */
/* tests/test.h
 * What the C tests share: cmocka, tests that list themselves, a folder and a time-out for each of them.
 *
 *     TEST(a_rule_in_words)
 *     {
 *             CHECK_INT(answer(), 42);
 *     }
 *
 *     TEST_MAIN("answers")
 *
 * The program runs all tests of its file, or those that its first argument names ("*" and "?" as in a shell).
 * Nothing waits for time to pass: what a test waits for happens, or its alarm ends the program.
 */
#ifndef CRECHE_TESTS_TEST_H
#define CRECHE_TESTS_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

enum { TEST_SECONDS = 60, TESTS_MAX = 100 };

/* The folder of the running test, made when it is asked for and removed with all that is in it. One for all
 * files of a program. */
__attribute__((weak)) char test_folder[64];
__attribute__((weak)) int test_folder_fd = -1;
static struct CMUnitTest test_list[TESTS_MAX];
static size_t test_count;

#define TEST(name)                                                                                           \
        static void name(void **test_state);                                                                 \
        __attribute__((constructor)) static void name##_listed(void)                                         \
        {                                                                                                    \
                test_add(#name, name);                                                                       \
        }                                                                                                    \
        static void name(void **test_state __attribute__((unused)))

#define TEST_MAIN(group)                                                                                     \
        int main(int argc, char **argv)                                                                      \
        {                                                                                                    \
                return test_run(group, argc, argv);                                                          \
        }

#define CHECK(condition) assert_true(condition)
#define CHECK_INT(got, wanted)                                                                               \
        do {                                                                                                 \
                const long long got_ = (got), wanted_ = (wanted);                                            \
                if (got_ != wanted_)                                                                         \
                        fail_msg("%s is %lld, not %lld", #got, got_, wanted_);                               \
        } while (0)
#define CHECK_STR(got, wanted) assert_string_equal(got, wanted)
#define CHECK_NULL(got)        assert_null(got)
/* A call that must work, and says why when it does not. */
#define MUST(call)                                                                                           \
        do {                                                                                                 \
                if ((call) < 0)                                                                              \
                        fail_msg("%s: %s (errno: %s)", #call, e.msg, strerror(errno));                       \
        } while (0)
/* A call that must fail with this kind. */
#define CHECK_FAILS(call, wanted_kind)                                                                       \
        do {                                                                                                 \
                e = (struct err){0};                                                                         \
                if ((call) != -1)                                                                            \
                        fail_msg("%s did not fail", #call);                                                  \
                if (e.kind != (wanted_kind))                                                                 \
                        fail_msg("%s failed otherwise: %s, %s", #call, err_info(e.kind)->code, e.msg);       \
        } while (0)

static inline void test_add(const char *name, CMUnitTestFunction fn);

static inline const char *test_dir(void)
{
        const char *tmp = getenv("TMPDIR");

        if (!*test_folder) {
                snprintf(test_folder, sizeof(test_folder), "%.40s/creche-test-XXXXXX", tmp ? tmp : "/tmp");
                if (!mkdtemp(test_folder))
                        fail_msg("mkdtemp: %s", strerror(errno));
        }
        return test_folder;
}

/* The same, open since the test began. */
static inline int test_dir_fd(void)
{
        if (test_folder_fd < 0)
                test_folder_fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return test_folder_fd;
}

/* A path in the folder of the test; the last 64 calls hold. */
static inline const char *test_path(const char *name)
{
        static _Thread_local char paths[64][256];
        static _Thread_local unsigned next;
        char *path = paths[next++ % 64];

        snprintf(path, sizeof(paths[0]), "%s/%s", test_dir(), name);
        return path;
}

static inline int test_unlink(const char *path, const struct stat *st, int type, struct FTW *f)
{
        (void)st;
        (void)type;
        (void)f;
        return remove(path);
}

static void test_timed_out(int signo)
{
        static const char text[] = "# the test took too long\n";

        (void)signo;
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                _exit(3);
        abort();
}

static inline int test_begin(void **state)
{
        (void)state;
        signal(SIGALRM, test_timed_out);
        alarm(TEST_SECONDS);
        test_dir_fd();
        return 0;
}

static inline int test_end(void **state)
{
        (void)state;
        alarm(0);
        if (*test_folder)
                nftw(test_folder, test_unlink, 16, FTW_DEPTH | FTW_PHYS);
        *test_folder = '\0';
        close(test_folder_fd);
        test_folder_fd = -1;
        return 0;
}

static inline void test_add(const char *name, CMUnitTestFunction fn)
{
        if (test_count == TESTS_MAX)
                abort();
        test_list[test_count++] = (struct CMUnitTest){
                .name = name, .test_func = fn, .setup_func = test_begin, .teardown_func = test_end};
}

static inline int test_run(const char *group, int argc, char **argv)
{
        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        return _cmocka_run_group_tests(group, test_list, test_count, NULL, NULL);
}

/* A file of the test, whole, as a string that the next call overwrites. */
static inline const char *test_read(const char *path)
{
        static char text[1 << 20];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n, len = 0;

        if (fd < 0)
                fail_msg("opening %s: %s", path, strerror(errno));
        while ((n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
                len += n;
        close(fd);
        text[len] = '\0';
        return text;
}

static inline void test_write(const char *path, mode_t mode, const void *bytes, size_t n)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
                fail_msg("writing %s: %s", path, strerror(errno));
        fchmod(fd, mode);
        close(fd);
}

/* A small generator with a fixed seed: the same numbers in each run. */
static inline uint32_t test_random(uint64_t *seed)
{
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(*seed >> 33);
}

#endif
