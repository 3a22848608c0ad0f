/* Ends the program, with the line, where something is not so. */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <unistd.h>

#define MUST(condition)                                   \
    do {                                                  \
        if (!(condition)) {                               \
            dprintf(2, "%d: " #condition "\n", __LINE__); \
            _exit(3);                                     \
        }                                                 \
    } while (0)

#endif
