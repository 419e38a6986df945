/* key_sources: joins the config's issuers, which policy knows, with the refresher, which keys knows. */
#ifndef INTROSPECTD_CLI_KEY_SOURCES_H
#define INTROSPECTD_CLI_KEY_SOURCES_H

#include "introspectd/config.h"
#include "introspectd/refresher.h"

/* Whether keys of some issuer are fetched. */
bool key_sources_are_fetched(const config_t *config);

/* Puts a slot into every issuer whose keys are fetched; the refresher fills it. False out of memory. */
bool key_sources_open(refresher_t *refresher, config_t *config) __attribute__((warn_unused_result));

#endif
