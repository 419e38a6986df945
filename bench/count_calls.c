/*
 * count_calls: for LD_PRELOAD: counts the allocations of a process and the signatures that it has OpenSSL
 * verify.
 *
 * The counters lie in the file that COUNT_CALLS_FILE names, as two 64-bit numbers (allocations,
 * verifications), where the benchmark reads them while the process runs. A process that is counted is not
 * timed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

typedef struct counters {
    atomic_uint_fast64_t allocations;
    atomic_uint_fast64_t verifications;
} counters_t;

static counters_t before_the_file;
static counters_t *counters = &before_the_file;

static __attribute__((constructor)) void map_counters(void)
{
    const char *path = getenv("COUNT_CALLS_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(counters_t)) != 0)
        abort();
    void *mapped = mmap(NULL, sizeof(counters_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        abort();
    close(fd);
    counters = mapped;
}

/* The function of this name that would have been called without this library, looked up once. */
#define NEXT(type, name)                                                                                     \
    static type next;                                                                                        \
    if (next == NULL)                                                                                        \
    *(void **)&next = dlsym(RTLD_NEXT, name)

static void count_allocation(void)
{
    atomic_fetch_add_explicit(&counters->allocations, 1, memory_order_relaxed);
}

static void count_verification(void)
{
    atomic_fetch_add_explicit(&counters->verifications, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    typedef void *function_t(size_t);
    NEXT(function_t *, "malloc");
    count_allocation();
    return next(size);
}

void *calloc(size_t nmemb, size_t size)
{
    typedef void *function_t(size_t, size_t);
    NEXT(function_t *, "calloc");
    count_allocation();
    return next(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    typedef void *function_t(void *, size_t);
    NEXT(function_t *, "realloc");
    count_allocation();
    return next(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    typedef void *function_t(size_t, size_t);
    NEXT(function_t *, "aligned_alloc");
    count_allocation();
    return next(alignment, size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    typedef int function_t(void **, size_t, size_t);
    NEXT(function_t *, "posix_memalign");
    count_allocation();
    return next(memptr, alignment, size);
}

int EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *tbs,
                    size_t tbslen)
{
    typedef int function_t(EVP_PKEY_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
    NEXT(function_t *, "EVP_PKEY_verify");
    count_verification();
    return next(ctx, sig, siglen, tbs, tbslen);
}

int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sigret, size_t siglen, const unsigned char *tbs,
                     size_t tbslen)
{
    typedef int function_t(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
    NEXT(function_t *, "EVP_DigestVerify");
    count_verification();
    return next(ctx, sigret, siglen, tbs, tbslen);
}

int EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *outl, size_t outsize)
{
    typedef int function_t(EVP_MAC_CTX *, unsigned char *, size_t *, size_t);
    NEXT(function_t *, "EVP_MAC_final");
    count_verification();
    return next(ctx, out, outl, outsize);
}
