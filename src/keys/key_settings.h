/*
 * key_settings: an owned copy of a source's settings, and the comparing of two by value.
 *
 * Immutable once copied; any thread.
 */
#ifndef KEYS_KEY_SETTINGS_H
#define KEYS_KEY_SETTINGS_H

#include "introspectd/refresher.h"

/* False when memory cannot be had; *copy needs key_settings_deinit else. */
bool key_settings_copy(const key_source_settings_t *from, key_source_settings_t *copy)
    __attribute__((warn_unused_result));
void key_settings_deinit(key_source_settings_t *copy);

bool key_settings_equal(const key_source_settings_t *a, const key_source_settings_t *b);

/* Whether both get the keys of the same issuer from the same place in the same way, so that what the one got
 * the other would have got too. */
bool key_settings_same_place(const key_source_settings_t *a, const key_source_settings_t *b);

#endif
