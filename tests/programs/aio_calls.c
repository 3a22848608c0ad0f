// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -D_LARGEFILE64_SOURCE
/* Calls every function of asynchronous I/O a known number of times. */
#include "witness.h"
#include <aio.h>

static char buffer[100];

int main(void) {
    int file = (int)TRY(open, open("file", O_RDWR | O_CREAT, 0600));
    MUST(file >= 0);
    struct aiocb block = {.aio_fildes = file, .aio_buf = buffer, .aio_nbytes = sizeof buffer};
    struct aiocb64 block64 = {.aio_fildes = file, .aio_buf = buffer, .aio_nbytes = sizeof buffer};
    const struct aiocb *const list[] = {&block};
    const struct aiocb64 *const list64[] = {&block64};
    for (int i = 0; i < 3; i++) {
        MUST(!TRY(aio_write, aio_write(&block)));
        MUST(!aio_suspend(list, 1, NULL) && aio_return(&block) == 100);
        MUST(!TRY(aio_write64, aio_write64(&block64)));
        MUST(!aio_suspend64(list64, 1, NULL) && aio_return64(&block64) == 100);
        MUST(!TRY(aio_read, aio_read(&block)));
        MUST(!aio_suspend(list, 1, NULL) && aio_return(&block) == 100);
        MUST(!TRY(aio_read64, aio_read64(&block64)));
        MUST(!aio_suspend64(list64, 1, NULL) && aio_return64(&block64) == 100);
    }
    block.aio_lio_opcode = LIO_READ;
    block64.aio_lio_opcode = LIO_READ;
    MUST(!TRY(lio_listio, lio_listio(LIO_WAIT, (struct aiocb **)list, 1, NULL)));
    MUST(!TRY(lio_listio64, lio_listio64(LIO_WAIT, (struct aiocb64 **)list64, 1, NULL)));
    MUST(TRY(lio_listio, lio_listio(12345, (struct aiocb **)list, 1, NULL)) < 0 && errno == EINVAL);
    block.aio_reqprio = -1;
    MUST(TRY(aio_read, aio_read(&block)) < 0 && errno == EINVAL);
    tell();
    return 0;
}
