// flags: -g -O1 -pthread -fexceptions -fsanitize=thread @not_sanitized_library
/* A library that ThreadSanitizer knows nothing of has part in a race; and it waits in threads that are cancelled, with
 * "cancel" as the argument. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern long kept;
char *makes_elsewhere(void);
void reads_elsewhere(char *into);
int reads_and_adds(int file, char *into);
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

static void *adder(void *unused) {
    int zero = open("/dev/zero", O_RDONLY);
    usleep(50000);
    if (reads_and_adds(zero, shared + 8) != 5)
        return NULL;
    close(zero);
    return unused;
}

static void *writer(void *unused) {
    usleep(100000);
    shared[3] = 1;
    shared[9] = 1;
    return unused;
}

static void add(struct numbers *numbers) {
    sum = numbers->a * 10000 + numbers->b * 1000 + numbers->c * 100 + numbers->d * 10 + numbers->e;
}

static void *waiter(void *how) {
    long a = opaque(1), b = opaque(2), c = opaque(3), d = opaque(4), e = opaque(5);
    __attribute__((cleanup(add))) struct numbers numbers = {a, b, c, d, e};
    char bytes[4];
    if (how == waits_with_a_handler)
        waits_with_a_handler(ends[0]);
    else if (how == waits_without)
        waits_without(ends[0]);
    else
        while (reads_and_adds(ends[0], bytes) == 5)
            continue;
    return NULL;
}

static void cancels(void *how) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, waiter, how);
    if (write(ends[1], "some", 4) != 4)
        return;
    usleep(50000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("%d %ld %ld\n", result == PTHREAD_CANCELED, kept, sum);
}

int main(int count, char **arguments) {
    pthread_t threads[3];
    if (count > 1 && strcmp(arguments[1], "cancel") == 0) {
        if (pipe(ends) != 0)
            return 1;
        cancels(waits_with_a_handler);
        cancels(waits_without);
        cancels(reads_and_adds);
        return 0;
    }
    shared = makes_elsewhere();
    pthread_create(&threads[0], NULL, reader, NULL);
    pthread_create(&threads[1], NULL, adder, NULL);
    pthread_create(&threads[2], NULL, writer, NULL);
    for (int thread = 0; thread < 3; thread++)
        pthread_join(threads[thread], NULL);
    frees_elsewhere(shared);
    puts("done");
    return 0;
}
