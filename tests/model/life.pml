/* SPDX-License-Identifier: MIT */
/* Start, exit and recovery of a process that creched clones itself ("spawn", "fork"). */
#include "registry.pml"
#include "creched.pml"
