/* SPDX-License-Identifier: MIT */
#include "model/event.h"

#include <string.h>

const char *event_type_name(int type)
{
        return type == EVENT_DELETED ? "deleted" : process_state_name((enum process_state)type);
}

int event_type_parse(const char *name)
{
        return strcmp(name, "deleted") ? process_state_parse(name) : EVENT_DELETED;
}
