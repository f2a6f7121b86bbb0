/* SPDX-License-Identifier: MIT */
/* The same with "forkserver": a third party, which dies too. */
#define FORKSERVER
#include "registry.pml"
#include "creched.pml"
