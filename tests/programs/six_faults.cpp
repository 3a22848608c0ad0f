// flags: -O1 -fno-inline -pthread -lstdc++
// A service with six faults of the kinds that people look for. Each has a function of its own, so that a report can name it.
//
// six_faults DIRECTORY [HEALTHY]: with a second argument it does the same work without the faults.

#include <arpa/inet.h>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static bool healthy;
static std::string directory;
static const int rounds = 150;

static void must(bool done, const char *what) {
    if (!done) {
        perror(what);
        _exit(9);
    }
}

// A server in a process of its own that takes 20 ms for each answer.
static pid_t serve(int listening) {
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child > 0)
        return child;
    int client = accept(listening, nullptr, nullptr);
    char asked;
    while (client >= 0 && read(client, &asked, 1) == 1) {
        usleep(20000);
        must(write(client, "!", 1) == 1, "answer");
    }
    _exit(0);
}

static int connected(int listening) {
    sockaddr_in address = {};
    socklen_t length = sizeof address;
    must(getsockname(listening, (sockaddr *)&address, &length) == 0, "getsockname");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(fd, (sockaddr *)&address, length) == 0, "connect");
    return fd;
}

// Fault 1: what it remembers it never forgets.
static void remember_request() {
    for (int block = 0; block < 50; block++) {
        char *note = (char *)malloc(1024);
        memset(note, 1, 1024);
        if (healthy)
            free(note);
    }
}

// Fault 2: a string is made anew for each look.
static size_t format_key(int number) {
    std::string key = "a key that is too long for the string itself ";
    key += std::to_string(number);
    return key.size();
}

// Fault 3: each small record is brought to the disk by itself.
static void commit(int journal) {
    char record[100] = {};
    for (int number = 0; number < 5; number++) {
        must(write(journal, record, sizeof record) == sizeof record, "commit");
        if (!healthy)
            fsync(journal);
    }
}

// Fault 4: a byte at a time.
static void log_line(int log) {
    char line[400] = {};
    if (healthy) {
        must(write(log, line, sizeof line) == sizeof line, "log");
        return;
    }
    for (char &byte : line)
        must(write(log, &byte, 1) == 1, "log");
}

// Fault 5: the lock is held while the server thinks.
static std::mutex cache_lock;

static void ask_server(int fd) {
    std::lock_guard<std::mutex> held(cache_lock);
    char answer;
    must(write(fd, "?", 1) == 1, "ask");
    must(read(fd, &answer, 1) == 1, "hear");
}

static void use_cache() {
    cache_lock.lock();
    cache_lock.unlock();
}

// Fault 6: the table is read all over the place.
static void look_up(int table, unsigned *seed) {
    char page[4096];
    for (int number = 0; number < 200; number++) {
        off_t at = (rand_r(seed) % 4096) * 4096;
        if (healthy)
            at = -1;
        ssize_t got = at < 0 ? read(table, page, sizeof page) : pread(table, page, sizeof page, at);
        must(got >= 0, "look up");
    }
}

int main(int count, char **arguments) {
    directory = count > 1 ? arguments[1] : ".";
    healthy = count > 2;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in local = {};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(listening, (sockaddr *)&local, sizeof local) == 0, "bind");
    must(listen(listening, 5) == 0, "listen");
    pid_t server = serve(listening);
    int peer = connected(listening);
    close(listening);
    int journal = open((directory + "/journal.db").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    int log = open((directory + "/service.log").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    int table = open((directory + "/table.db").c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
    must(journal >= 0 && log >= 0 && table >= 0, "open");
    std::vector<char> chunk(1 << 20, 'x');
    for (int number = 0; number < 16; number++)
        must(write(table, chunk.data(), chunk.size()) == (ssize_t)chunk.size(), "fill");
    lseek(table, 0, SEEK_SET);

    std::atomic<bool> over(healthy);
    std::thread asking([&] {
        do {
            ask_server(peer);
            usleep(500);
        } while (!over);
    });
    unsigned seed = 1;
    size_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        remember_request();
        for (int number = 0; number < (healthy ? 10 : 60000); number++)
            sum += format_key(number);
        commit(journal);
        log_line(log);
        look_up(table, &seed);
        use_cache();
        if (healthy)
            usleep(5000);
    }
    over = true;
    asking.join();
    if (healthy)
        fsync(journal);
    close(peer);
    must(waitpid(server, nullptr, 0) == server, "wait");
    printf("%zu\n", sum > 0 ? (size_t)1 : (size_t)0);
    return 0;
}
