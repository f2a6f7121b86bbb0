/* SPDX-License-Identifier: MIT */
/* The smallest program that there is, so that what is measured is the price of a process: it ends with 0 at once.
 * Built with -DWAITS it waits for a signal instead. No C library. */
#include <asm/unistd.h>

static long call(long number, long first)
{
#if defined(__x86_64__)
        long answer;

        __asm__ volatile("syscall"
                         : "=a"(answer)
                         : "a"(number), "D"(first), "S"(0), "d"(0)
                         : "rcx", "r11", "memory");
        return answer;
#elif defined(__aarch64__)
        register long answer __asm__("x0") = first;
        register long second __asm__("x1") = 0, third __asm__("x2") = 0, fourth __asm__("x3") = 0;
        register long nr __asm__("x8") = number;

        __asm__ volatile("svc 0" : "+r"(answer) : "r"(nr), "r"(second), "r"(third), "r"(fourth) : "memory");
        return answer;
#else
#error "how does this processor call the kernel?"
#endif
}

__attribute__((noreturn, used)) void _start(void);

void _start(void)
{
#ifdef WAITS
        for (;;)
                call(__NR_ppoll, 0);
#endif
        for (;;)
                call(__NR_exit_group, 0);
}
