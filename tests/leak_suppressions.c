/*
 * What LeakSanitizer is told to pass over in the sanitized binary.
 *
 * libh2o keeps a list of free blocks per thread (h2o_mem_alloc_recycle) and has no function that empties it,
 * so each thread that ends leaves those blocks.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\n";
}

/* What was passed over is no news. */
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
