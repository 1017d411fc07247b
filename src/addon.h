/* What every add-on of ours needs of Node-API (stable across Node's versions), so that the rest of it is system calls. */
#ifndef TSPOD_ADDON_H
#define TSPOD_ADDON_H

#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

/* A call into Node-API that fails is a mistake of the add-on's own module, not of the user. */
#define MUST(call) \
  do { \
    if ((call) != napi_ok) napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, #call, NAPI_AUTO_LENGTH); \
  } while (0)

static inline napi_value number(napi_env env, int64_t value) {
  napi_value result;
  MUST(napi_create_int64(env, value, &result));
  return result;
}

static inline void arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values) {
  size_t count = wanted;
  MUST(napi_get_cb_info(env, info, &count, values, NULL, NULL));
  if (count != wanted) napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, "wrong number of arguments", NAPI_AUTO_LENGTH);
}

static inline int number_in(napi_env env, napi_value value) {
  int32_t result;
  MUST(napi_get_value_int32(env, value, &result));
  return result;
}

static inline bool truth_in(napi_env env, napi_value value) {
  bool result;
  MUST(napi_get_value_bool(env, value, &result));
  return result;
}

#endif
