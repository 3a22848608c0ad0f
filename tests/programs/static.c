// flags: -O1 -static
/* Nothing can be preloaded here. */
int main(void) {
    return 7;
}
