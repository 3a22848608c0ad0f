/* Prints a line without allocating, so that a hook may do it. */
#ifndef SAY_H
#define SAY_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Writes one line to stderr: a buffer on the stack, one write(2), and errno as it was. vsnprintf allocates
   nothing for what is printed here: texts, and integers without a width. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[161];
    int before = errno;
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (size < 0)
        size = 0;
    /* What doesn't fit is cut off. */
    if (size > (int)sizeof line - 2)
        size = sizeof line - 2;
    line[size] = '\n';
    if (write(STDERR_FILENO, line, size + 1) < 0) {
        /* Nobody is left to be told. */
    }
    errno = before;
}

#endif
