// flags: -g -O1 -pthread -fexceptions -fsanitize=thread @not_sanitized_library
/* A library that ThreadSanitizer knows nothing of has part in a race; and it waits in threads that are cancelled, with
 * "cancel" as the argument. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern long kept;
char *makes_elsewhere(void);
void reads_elsewhere(char *into);
void frees_elsewhere(char *block);
void waits_with_a_handler(int pipe);
void waits_without(int pipe);

struct numbers {
    long a, b, c, d, e;
};

static char *shared;
static int ends[2];
static long sum;

static long opaque(long number) {
    __asm__ volatile("" : "+r"(number));
    return number;
}

static void *reader(void *unused) {
    reads_elsewhere(shared);
    return unused;
}

static void *writer(void *unused) {
    usleep(100000);
    shared[3] = 1;
    return unused;
}

static void add(struct numbers *numbers) {
    sum = numbers->a * 10000 + numbers->b * 1000 + numbers->c * 100 + numbers->d * 10 + numbers->e;
}

static void *waiter(void *handles) {
    long a = opaque(1), b = opaque(2), c = opaque(3), d = opaque(4), e = opaque(5);
    __attribute__((cleanup(add))) struct numbers numbers = {a, b, c, d, e};
    if (handles)
        waits_with_a_handler(ends[0]);
    else
        waits_without(ends[0]);
    return NULL;
}

static void cancels(void *handles) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, waiter, handles);
    if (write(ends[1], "some", 4) != 4)
        return;
    usleep(50000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("%d %ld %ld\n", result == PTHREAD_CANCELED, kept, sum);
}

int main(int count, char **arguments) {
    pthread_t threads[2];
    if (count > 1 && strcmp(arguments[1], "cancel") == 0) {
        if (pipe(ends) != 0)
            return 1;
        cancels("handles");
        cancels(NULL);
        return 0;
    }
    shared = makes_elsewhere();
    pthread_create(&threads[0], NULL, reader, NULL);
    pthread_create(&threads[1], NULL, writer, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    frees_elsewhere(shared);
    puts("done");
    return 0;
}
