/* SPDX-License-Identifier: MIT */
/* tests/unit/test_logs.c: what a file says of itself that belongs to a child. */
#include "logs/logs.h"
#include "test.h"

#include <sys/xattr.h>

/* Stands in for the file system, which may keep no attributes. */
static const char *attribute;

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
        size_t n = attribute ? strlen(attribute) : 0;

        (void)fd;
        (void)name;
        if (!attribute || n > size) {
                errno = attribute ? ERANGE : ENODATA;
                return -1;
        }
        memcpy(value, attribute, n);
        return (ssize_t)n;
}

static int64_t base_of(const char *text)
{
        attribute = text;
        return logs_base(0);
}

TEST(a_log_begins_where_its_file_says)
{
        CHECK_INT(base_of("0"), 0);
        CHECK_INT(base_of("4711"), 4711);
        CHECK_INT(base_of("9223372036854775807"), INT64_MAX);
        CHECK_INT(base_of(NULL), 0);
}

/* It is the child's file: it can say anything there. */
TEST(a_beginning_that_no_log_can_have_is_none)
{
        CHECK_INT(base_of("-1"), 0);
        CHECK_INT(base_of("-9223372036854775808"), 0);
        CHECK_INT(base_of("x"), 0);
        CHECK_INT(base_of("99999999999999999999999999"), 0); /* longer than any */
}

TEST(an_offset_ends_where_numbers_do)
{
        CHECK_INT(logs_offset(3, 4), 7);
        CHECK_INT(logs_offset(INT64_MAX, 1), INT64_MAX);
        CHECK_INT(logs_offset(INT64_MAX - 1, INT64_MAX), INT64_MAX);
}

TEST_MAIN("logs")
