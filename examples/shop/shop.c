// A shop that reads orders, keeps them, and writes them to a ledger. It works, and has five faults, which
// docs/find-it-in-five-minutes.md finds:
//
//     cc -g -O1 -o shop shop.c && ./shop
//
// 1. A leak, 2. a peak, 3. a storm of temporaries, 4. a file that is slow to write, 5. a file that is read byte by byte.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ORDERS = 2000 };

struct order {
    char *customer;
    int items;
};

static struct order orders[ORDERS];

// Fault 1: the customer's name of the order before is never freed.
__attribute__((noinline)) static void remember(struct order *order, const char *customer) {
    order->customer = strdup(customer);
}

// Fault 3: a block for each order, freed at once. An array on the stack would do.
__attribute__((noinline)) static int width_of(const struct order *order) {
    char *text = malloc(64);
    int width = snprintf(text, 64, "%s has %d items", order->customer, order->items);
    free(text);
    return width;
}

// Fault 2: all lines are in memory before the first is written.
__attribute__((noinline)) static char *page_of(int width) {
    char *page = malloc((size_t)ORDERS * 512);
    memset(page, '.', (size_t)ORDERS * (size_t)width);
    return page;
}

// Fault 4: the ledger is safe on the disk after each order. Once at the end would do.
__attribute__((noinline)) static void enter(int ledger, const struct order *order) {
    if (write(ledger, order, sizeof *order) < 0 || fsync(ledger) != 0) perror("ledger");
}

// Fault 5: a system call for each byte.
__attribute__((noinline)) static int next_letter(int names) {
    char letter;
    return read(names, &letter, 1) == 1 ? letter : -1;
}

int main(void) {
    int names = open("names.txt", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int ledger = open("ledger", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (names < 0 || ledger < 0) return 1;
    static char text[500 * 13 + 1];
    for (int i = 0; i < 500; i++) sprintf(text + 13 * i, "Customer %03d\n", i);
    if (write(names, text, sizeof text - 1) < 0) return 1;
    lseek(names, 0, SEEK_SET);

    int widest = 0;
    char name[32];
    int length = 0, count = 0;
    for (int letter; (letter = next_letter(names)) >= 0;) {
        if (letter != '\n') {
            name[length++] = (char)letter;
            continue;
        }
        name[length] = 0;
        length = 0;
        // Each customer orders twice, and the second order takes the place of the first.
        struct order *order = &orders[count++];
        for (int items = 1; items <= 2; items++) {
            remember(order, name);
            order->items = items;
            int width = width_of(order);
            if (width > widest) widest = width;
        }
    }
    char *page = page_of(widest);
    free(page);
    for (int i = 0; i < 100; i++) enter(ledger, &orders[i]);
    printf("the widest line has %d letters\n", widest);
    return 0;
}
