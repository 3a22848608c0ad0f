/* Step 4: the red interposer of rand. It differs from the other by its name alone. */
#define ME "red"
#include "link.h"
