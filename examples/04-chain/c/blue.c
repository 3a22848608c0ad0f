/* Step 4: the blue interposer of rand. It differs from the other by its name alone. */
#define ME "blue"
#include "link.h"
