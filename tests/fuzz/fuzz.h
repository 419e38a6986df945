/* fuzz: what each target implements and what its checks call. */
#ifndef INTROSPECTD_TESTS_FUZZ_H
#define INTROSPECTD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise is a finding like a crash. Evaluated in every build type, unlike assert. */
#define FUZZ_CHECK(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#endif
