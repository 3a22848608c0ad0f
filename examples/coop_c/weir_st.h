/* State Threads, registered with Weir. */
#ifndef WEIR_ST_H
#define WEIR_ST_H

/* Tells Weir about State Threads, once st_init() is done. 0, or an errno as a negative number: ENOENT without Weir. */
int weir_st_register(void);

/* Makes a coroutine of the thread that calls this; threads that don't call it block as ever. */
void weir_st_begin(void *id);

#endif
