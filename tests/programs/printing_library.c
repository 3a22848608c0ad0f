// flags: -O1 -fno-builtin -shared -fPIC -D_GNU_SOURCE
/* Has functions with variable arguments of its own, and none that take a va_list. Those that print say that they were called. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int say(int to, const char *who, const char *format, va_list arguments) {
    char text[512];
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (write(to, who, strlen(who)) < 0 || write(to, text, length) < 0)
        return -1;
    return length;
}

#define PRINTS(to, who)                         \
    va_list arguments;                          \
    va_start(arguments, format);                \
    int length = say(to, who, format, arguments); \
    va_end(arguments);                          \
    return length

int printf(const char *format, ...) { PRINTS(1, "own printf: "); }

int fprintf(FILE *stream, const char *format, ...) { PRINTS(fileno(stream), "own fprintf: "); }

int dprintf(int to, const char *format, ...) { PRINTS(to, "own dprintf: "); }

int execl(const char *path, const char *argument, ...) {
    static const char who[] = "own execl\n";
    if (write(1, who, sizeof who - 1) < 0)
        return -1;
    return path != NULL && argument != NULL ? 17 : -1;
}

int __isoc99_fscanf(FILE *stream, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int *number = va_arg(arguments, int *);
    va_end(arguments);
    *number = 4711;
    return stream != NULL;
}
