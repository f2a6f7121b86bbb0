/* SPDX-License-Identifier: MIT */
/* tests/unit/test_timers.c: deadlines and lists, against the simplest thing that could be right. */
#include "test.h"

#include "base/list.h"
#include "base/timers.h"

enum { N = 200, OPERATIONS = 50000, HORIZON = 500 };

static int64_t earliest(const struct timer *all, const bool *set)
{
        int64_t min = INT64_MAX;

        for (int i = 0; i < N; i++)
                if (set[i] && all[i].at_us < min)
                        min = all[i].at_us;
        return min;
}

TEST(timers_do_what_a_plain_table_of_deadlines_does)
{
        struct timers t = {0};
        struct timer all[N] = {0}, *due;
        bool set[N] = {false};
        uint64_t seed = 42;

        for (int op = 0; op < OPERATIONS; op++) {
                uint32_t i = test_random(&seed) % N;
                int64_t now, before;

                switch (test_random(&seed) % 4) {
                case 0:
                case 1:
                        before = earliest(all, set);
                        now = test_random(&seed) % HORIZON;
                        set[i] = true;
                        if (all[i].slot && all[i].at_us == before) { /* moved: the rest decides */
                                set[i] = false;
                                before = earliest(all, set);
                                set[i] = true;
                        }
                        if (timers_set(&t, &all[i], now) == 1)
                                CHECK(now <= before);
                        else
                                CHECK(now >= before);
                        break;
                case 2:
                        timers_unset(&t, &all[i]);
                        set[i] = false;
                        break;
                default:
                        now = earliest(all, set);
                        if (test_random(&seed) % 2)
                                now = test_random(&seed) % HORIZON;
                        due = timers_expire(&t, now);
                        if (!due) {
                                CHECK(earliest(all, set) > now || now == INT64_MAX);
                                break;
                        }
                        CHECK_INT(due->at_us, earliest(all, set));
                        CHECK(due->at_us <= now);
                        CHECK_INT(due->slot, 0);
                        set[due - all] = false;
                }
                CHECK_INT(timers_next(&t), earliest(all, set));
                for (int k = 0; k < N; k += 13)
                        CHECK_INT(all[k].slot != 0, set[k]);
        }
        timers_done(&t);
}

TEST(timers_expire_in_the_order_of_their_deadlines)
{
        struct timers t = {0};
        struct timer all[1000] = {0};
        uint64_t seed = 3;
        int64_t last = -1;

        for (int i = 0; i < 1000; i++)
                CHECK(timers_set(&t, &all[i], test_random(&seed) % 300) >= 0);
        for (int i = 0; i < 1000; i++) {
                struct timer *due = timers_expire(&t, INT64_MAX - 1);

                assert_non_null(due);
                CHECK(due->at_us >= last);
                last = due->at_us;
        }
        CHECK_NULL(timers_expire(&t, INT64_MAX));
        CHECK_INT(timers_next(&t), INT64_MAX);
        timers_done(&t);
}

TEST(a_timer_is_not_due_before_its_deadline)
{
        struct timers t = {0};
        struct timer one = {0};

        CHECK_INT(timers_set(&t, &one, 10), 1);
        CHECK_NULL(timers_expire(&t, 9));
        CHECK(timers_expire(&t, 10) == &one);
        timers_unset(&t, &one);
        timers_done(&t);
}

struct item {
        int value;
        struct list link;
};

/* "1 2 3", forwards; checks that backwards is the same. */
static const char *shown(struct list *head)
{
        static char text[200];
        size_t n = 0, forwards = 0, backwards = 0;

        text[0] = '\0';
        list_for_each (node, head) {
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d", n ? " " : "",
                                      container_of(node, struct item, link)->value);
                forwards++;
                CHECK(node->next->prev == node);
        }
        for (struct list *node = head->prev; node != head; node = node->prev)
                backwards++;
        CHECK_INT(forwards, backwards);
        return text;
}

TEST(a_list_keeps_the_order_of_what_was_appended)
{
        struct list head = LIST_INIT(head);
        struct item items[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};

        CHECK(list_empty(&head));
        CHECK_NULL(list_pop(&head));
        for (int i = 0; i < 4; i++)
                list_append(&head, &items[i].link);
        CHECK_STR(shown(&head), "1 2 3 4");
        list_remove(&items[1].link);
        CHECK_STR(shown(&head), "1 3 4");
        list_remove(&items[1].link);
        CHECK_STR(shown(&head), "1 3 4");
        CHECK(list_pop(&head) == &items[0].link);
        CHECK(list_empty(&items[0].link));
        CHECK_STR(shown(&head), "3 4");
}

TEST(a_list_is_emptied_while_it_is_walked)
{
        struct list head = LIST_INIT(head);
        struct item items[5] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}, {.value = 5}};

        for (int i = 0; i < 5; i++)
                list_append(&head, &items[i].link);
        list_for_each_safe (node, &head)
                if (container_of(node, struct item, link)->value % 2)
                        list_remove(node);
        CHECK_STR(shown(&head), "2 4");
}

TEST(a_list_is_moved_to_the_end_of_another)
{
        struct list a = LIST_INIT(a), b = LIST_INIT(b);
        struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};

        list_splice(&a, &b);
        CHECK(list_empty(&a));
        list_append(&a, &items[0].link);
        list_append(&b, &items[1].link);
        list_append(&b, &items[2].link);
        list_splice(&a, &b);
        CHECK_STR(shown(&a), "1 2 3");
        CHECK(list_empty(&b));
        list_splice(&b, &a);
        CHECK_STR(shown(&b), "1 2 3");
        CHECK(list_empty(&a));
}

TEST_MAIN("timers")
