#include "metrics_writer.h"

#include <inttypes.h>

void metrics_family(metrics_writer_t *writer, const char *name, const char *type, const char *help)
{
    writer->family = name;
    fprintf(writer->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_escaped(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (*value == '\\' || *value == '"')
            fputc('\\', out);
        fputc(*value, out);
    }
}

static void write_head(const metrics_writer_t *writer, const char *suffix, const metrics_label_t *labels)
{
    const char *separator = "{";
    fprintf(writer->out, "%s%s", writer->family, suffix);
    for (; labels->name != NULL; labels++) {
        fprintf(writer->out, "%s%s=\"", separator, labels->name);
        write_escaped(writer->out, labels->value);
        fputc('"', writer->out);
        separator = ",";
    }
    fputs(separator[0] == ',' ? "} " : " ", writer->out);
}

void metrics_sample(const metrics_writer_t *writer, const char *suffix, const metrics_label_t *labels,
                    uint64_t value)
{
    write_head(writer, suffix, labels);
    fprintf(writer->out, "%" PRIu64 "\n", value);
}

void metrics_sample_real(const metrics_writer_t *writer, const char *suffix, const metrics_label_t *labels,
                         double value)
{
    write_head(writer, suffix, labels);
    fprintf(writer->out, "%.6f\n", value);
}

void metrics_single(metrics_writer_t *writer, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    metrics_family(writer, name, type, help);
    metrics_sample(writer, "", METRICS_NO_LABELS, value);
}

void metrics_single_real(metrics_writer_t *writer, const char *name, const char *type, const char *help,
                         double value)
{
    metrics_family(writer, name, type, help);
    metrics_sample_real(writer, "", METRICS_NO_LABELS, value);
}
