/*
 * micro [--quick] [--csv] [--entries N,N...] [--threads N,N...] [GROUP...]
 *
 * Runs the groups whose names begin with one of the given words, or all of them.
 */
#include "micro.h"

#include "introspectd/json.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    micro_group *run;
} GROUPS[] = {
    {"cache-get", cache_get_group}, {"cache-put", cache_put_group}, {"cache-pool", cache_pool_group},
    {"token", token_group},         {"request", request_group},     {"answer", answer_group},
    {"decision", decision_group},
};

enum { GROUP_COUNT = sizeof(GROUPS) / sizeof(GROUPS[0]) };

static const char USAGE[] =
    "usage: micro [--quick] [--csv] [--entries N,N...] [--threads N,N...] [GROUP...]\n"
    "groups, each chosen by how its name begins: cache-get cache-put cache-pool token request answer decision\n";

_Noreturn void micro_fail(const char *what)
{
    fprintf(stderr, "micro: %s\n", what);
    exit(1);
}

static void print_header(const micro_options_t *options)
{
    if (options->is_csv)
        puts("group,name,parameters,ns_per_operation,allocations_per_operation,operations_per_second,ratio,"
             "ratio_of");
    else
        printf("%-11s %-30s %-26s %10s %8s %12s\n", "group", "name", "parameters", "ns", "allocs", "1/s");
}

static void print_table_row(const micro_row_t *row)
{
    printf("%-11s %-30s %-26s %10.1f %8.2f", row->group, row->name, row->parameters, row->ns,
           row->allocations);
    if (row->per_second > 0)
        printf(" %12.0f", row->per_second);
    if (row->ratio > 0)
        printf("%s  %.2f %s", row->per_second > 0 ? "" : "             ", row->ratio, row->ratio_of);
    putchar('\n');
}

static void print_csv_row(const micro_row_t *row)
{
    printf("%s,%s,%s,%.2f,%.3f,", row->group, row->name, row->parameters, row->ns, row->allocations);
    if (row->per_second > 0)
        printf("%.0f", row->per_second);
    if (row->ratio > 0)
        printf(",%.3f,%s\n", row->ratio, row->ratio_of);
    else
        puts(",,");
}

void micro_report(const micro_options_t *options, const micro_row_t *row)
{
    if (options->is_csv)
        print_csv_row(row);
    else
        print_table_row(row);
    fflush(stdout);
}

/* Reads "1000,20000"; gives how many there were, 0 when the text is wrong. */
static size_t read_sizes(const char *text, size_t sizes[MICRO_MAX_SIZES])
{
    size_t count = 0;
    for (;;) {
        char *end;
        unsigned long long size = strtoull(text, &end, 10);
        if (end == text || size == 0 || count == MICRO_MAX_SIZES)
            return 0;
        sizes[count++] = (size_t)size;
        if (*end == '\0')
            return count;
        if (*end != ',')
            return 0;
        text = end + 1;
    }
}

static bool read_threads(const char *text, micro_options_t *options)
{
    size_t sizes[MICRO_MAX_SIZES];
    options->threads_count = read_sizes(text, sizes);
    for (size_t i = 0; i < options->threads_count; i++) {
        if (sizes[i] > 256)
            return false;
        options->threads[i] = (unsigned)sizes[i];
    }
    return options->threads_count > 0;
}

static bool read_options(int argc, char **argv, micro_options_t *options)
{
    static const struct option LONG_OPTIONS[] = {
        {"quick", no_argument, NULL, 'q'},         {"csv", no_argument, NULL, 'c'},
        {"entries", required_argument, NULL, 'e'}, {"threads", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    const char *entries = NULL;
    const char *threads = "1,2,4";
    for (int option; (option = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1;) {
        if (option == 'q')
            options->is_quick = true;
        else if (option == 'c')
            options->is_csv = true;
        else if (option == 'e')
            entries = optarg;
        else if (option == 't')
            threads = optarg;
        else
            return false;
    }
    if (entries == NULL)
        entries = options->is_quick ? "1000,10000,100000" : "1000,10000,100000,1000000,10000000";
    options->repetitions = options->is_quick ? 5 : 9;
    options->entries_count = read_sizes(entries, options->entries);
    return read_threads(threads, options) && options->entries_count > 0;
}

static bool is_wanted(const char *group, char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        if (strncmp(group, words[i], strlen(words[i])) == 0)
            return true;
    }
    return count == 0;
}

static bool names_a_group(const char *word)
{
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (strncmp(GROUPS[i].name, word, strlen(word)) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    micro_options_t options = {0};
    bool is_good = read_options(argc, argv, &options);
    for (int i = optind; i < argc; i++)
        is_good = is_good && names_a_group(argv[i]);
    if (!is_good) {
        fputs(USAGE, stderr);
        return 2;
    }
    json_init();
    print_header(&options);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (is_wanted(GROUPS[i].name, argv + optind, argc - optind))
            GROUPS[i].run(&options);
    }
    return 0;
}
