/*
 * SHA-256, with a key or without, by the OpenSSL that Node has in it and offers to add-ons.
 *
 *   sha256(bytes) -> hexadecimal digits
 *   hmac(key, bytes) -> hexadecimal digits         HMAC with SHA-256 (RFC 2104)
 */
#include "addon.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

typedef struct {
  unsigned char *at;
  size_t length;
} bytes;

static bytes bytes_in(napi_env env, napi_value value) {
  bytes result;
  napi_typedarray_type type;
  MUST(napi_get_typedarray_info(env, value, &type, &result.length, (void **)&result.at, NULL, NULL));
  if (type != napi_uint8_array) napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, "not bytes", NAPI_AUTO_LENGTH);
  /* No address at all means something else to OpenSSL. */
  if (result.length == 0) result.at = (unsigned char *)"";
  return result;
}

static napi_value digits(napi_env env, const unsigned char *digest) {
  static const char names[] = "0123456789abcdef";
  char text[2 * SHA256_DIGEST_LENGTH];
  for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
    text[2 * i] = names[digest[i] >> 4];
    text[2 * i + 1] = names[digest[i] & 15];
  }
  napi_value result;
  MUST(napi_create_string_latin1(env, text, sizeof(text), &result));
  return result;
}

static napi_value sha256(napi_env env, napi_callback_info info) {
  napi_value value;
  arguments(env, info, 1, &value);
  bytes data = bytes_in(env, value);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  if (SHA256(data.at, data.length, digest) == NULL)
    napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, "SHA256", NAPI_AUTO_LENGTH);
  return digits(env, digest);
}

static napi_value hmac(napi_env env, napi_callback_info info) {
  napi_value values[2];
  arguments(env, info, 2, values);
  bytes key = bytes_in(env, values[0]), data = bytes_in(env, values[1]);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key.at, (int)key.length, data.at, data.length, digest, &length) == NULL)
    napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, "HMAC", NAPI_AUTO_LENGTH);
  return digits(env, digest);
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "sha256", .method = sha256, .attributes = napi_enumerable},
      {.utf8name = "hmac", .method = hmac, .attributes = napi_enumerable},
  };
  MUST(napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions));
  return exports;
}
