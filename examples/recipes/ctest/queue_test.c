/* A test program for the recipe of ctest: fills a queue, and empties it. Its argument is the number of elements. */
#include <stdio.h>
#include <stdlib.h>

struct element {
    struct element *next;
    int value;
};

int main(int count, char **arguments) {
    int wanted = count > 1 ? atoi(arguments[1]) : 1;
    struct element *first = NULL, **end = &first;
    for (int i = 0; i < wanted; i++) {
        struct element *element = malloc(sizeof *element);
        if (element == NULL)
            return 1;
        *element = (struct element){.value = i};
        *end = element;
        end = &element->next;
    }
    int taken = 0;
    while (first != NULL) {
        struct element *element = first;
        first = element->next;
        taken += element->value == taken;
        free(element);
    }
    printf("%d elements\n", taken);
    return taken == wanted ? 0 : 1;
}
