/* The program of the recipe for CI: counts the words of a file, with one allocation for each line. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int words_of(const char *line) {
    int words = 0;
    for (const char *at = line; *at != '\0'; at++)
        words += !isspace((unsigned char)*at) && (at[1] == '\0' || isspace((unsigned char)at[1]));
    return words;
}

int main(int count, char **arguments) {
    FILE *file = count == 2 ? fopen(arguments[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "words: give a file that can be read\n");
        return 1;
    }
    char buffer[4096];
    int words = 0;
    while (fgets(buffer, sizeof buffer, file) != NULL) {
        char *line = strdup(buffer);
        if (line == NULL)
            return 1;
        words += words_of(line);
        free(line);
    }
    fclose(file);
    printf("%d words\n", words);
    return 0;
}
