/* Step 5: dlopen, dlsym, dlclose and dlerror, with everything that can go wrong. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* What the last of the four said. The text is the thread's own, and the next call's to overwrite. */
static const char *last_error(void)
{
    const char *error = dlerror();
    return error != NULL ? error : "no error";
}

static void *must_open(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        printf("dlopen: %s\n", last_error());
        exit(1);
    }
    return library;
}

/* The address of a symbol, which may be NULL, and that is no error: whether there was one, only dlerror
   knows. It is emptied first, of what an earlier failure may have left there. */
static const char *symbol(void *library, const char *name, void **address)
{
    dlerror();
    *address = dlsym(library, name);
    return dlerror();
}

static void must_close(void *library)
{
    if (dlclose(library) != 0)
        printf("dlclose: %s\n", last_error());
}

/* With RTLD_NOLOAD nothing is loaded. A handle that is given counts as one more, and is given back. */
static const char *is_loaded(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    return library != NULL && dlclose(library) == 0 ? "true" : "false";
}

int main(void)
{
    void *address;
    const char *error;

    /* The plugin writes to stderr: lines are to come in their order. */
    setvbuf(stdout, NULL, _IOLBF, 0);

    if (dlopen("./libmissing.so", RTLD_NOW | RTLD_LOCAL) == NULL)
        printf("dlopen fails: %s\n", last_error());

    void *plugin = must_open("./libplugin.so");
    error = symbol(plugin, "greeting", &address);
    if (error != NULL || address == NULL)
        return 1;
    const char *(*greeting)(void);
    *(void **)&greeting = address;
    printf("dlsym finds greeting, and it says: %s\n", greeting());

    error = symbol(plugin, "farewell", &address);
    if (error != NULL)
        printf("dlsym fails: %s\n", error);

    void *other = must_open("./libnothing.so");
    error = symbol(other, "nothing", &address);
    if (error != NULL)
        return 1;
    printf("dlsym finds nothing at 0x%lx, and dlerror has no complaint\n", (unsigned long)address);

    void *again = must_open("./libplugin.so");
    printf("dlopen again, same handle: %s\n", again == plugin ? "true" : "false");
    must_close(again);
    printf("dlclose once, still loaded: %s\n", is_loaded("./libplugin.so"));
    must_close(plugin);
    printf("dlclose twice, still loaded: %s\n", is_loaded("./libplugin.so"));
    must_close(other);
    return 0;
}
