#include "config_internal.h"

enum { MAX_SAMPLE = 1000000, MAX_PER_SECOND = 1000000, DEFAULT_PER_SECOND = 1000 };

/* A file that is called like a stream is written `./stderr`. */
static bool read_target(config_loader_t *loader, const config_node_t *node, config_access_log_t *access_log)
{
    access_log->line = node->line;
    if (config_is_word(loader, node, "stderr"))
        access_log->target = CONFIG_LOG_STDERR;
    else if (config_is_word(loader, node, "stdout"))
        access_log->target = CONFIG_LOG_STDOUT;
    else if (config_path(loader, node, &access_log->file))
        access_log->target = CONFIG_LOG_FILE;
    return access_log->target != CONFIG_LOG_OFF;
}

bool config_read_access_log(config_loader_t *loader, const config_node_t *node)
{
    enum { FILE_PATH, SAMPLE, PER_SECOND, COUNT };
    static const config_key_t KEYS[COUNT] = {{"file", true}, {"sample", false}, {"max_per_second", false}};
    config_access_log_t *access_log = &loader->config->access_log;
    config_node_t values[COUNT];
    access_log->sample = 1;
    access_log->max_per_second = DEFAULT_PER_SECOND;
    return config_keys(loader, node, KEYS, COUNT, values) &&
           read_target(loader, &values[FILE_PATH], access_log) &&
           (values[SAMPLE].id == 0 ||
            config_integer(loader, &values[SAMPLE], 1, MAX_SAMPLE, NULL, &access_log->sample)) &&
           (values[PER_SECOND].id == 0 || config_integer(loader, &values[PER_SECOND], 1, MAX_PER_SECOND, NULL,
                                                         &access_log->max_per_second));
}
