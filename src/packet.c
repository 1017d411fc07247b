/*
 * What Node has no socket for: AF_UNIX SOCK_SEQPACKET, which conmon's attach socket is, and
 * SOCK_DGRAM, which a notify socket is (docs/adr/0005-packets.md).
 *
 * Only system calls and readiness are here; order, limits and waiting are packet.ts's. Everything that can fail
 * returns the negative errno. A socket is an external value; it is closed by `close`, or when it is collected.
 *
 *   connect(path, onReady) -> socket | -errno      onReady() when what was watched for has come; the watch is over
 *   listen(path, onReady) -> socket | -errno       the same for SOCK_DGRAM, to be received from
 *   watch(socket, READABLE | WRITABLE)             0 stops watching
 *   send(socket, bytes) -> length | -errno         one packet, whole or not at all
 *   receive(socket, bytes) -> length | -errno      the true length of one packet; 0 at the end
 *   finish(socket)                                 no more will be sent
 *   close(socket)
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

typedef struct {
  /* Of its own: it lives on until the loop has let go of it. */
  uv_poll_t *poll;
  napi_env env;
  napi_async_context context;
  napi_ref on_ready;
  int fd;
} packet_socket;

static packet_socket *socket_in(napi_env env, napi_value value) {
  void *found;
  MUST(napi_get_value_external(env, value, &found));
  return found;
}

static void release(uv_handle_t *handle) { free(handle); }

/* Idempotent. The loop forgets the descriptor before its number can be used again. */
static void shut(packet_socket *sock) {
  if (sock->fd < 0) return;
  uv_close((uv_handle_t *)sock->poll, release);
  close(sock->fd);
  sock->fd = -1;
  napi_delete_reference(sock->env, sock->on_ready);
  napi_async_destroy(sock->env, sock->context);
}

static void collected(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  packet_socket *sock = data;
  shut(sock);
  free(sock);
}

static void ready(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  packet_socket *sock = poll->data;
  napi_env env = sock->env;
  uv_poll_stop(poll);
  napi_handle_scope scope;
  napi_value global, callback;
  MUST(napi_open_handle_scope(env, &scope));
  MUST(napi_get_global(env, &global));
  MUST(napi_get_reference_value(env, sock->on_ready, &callback));
  /* make_callback runs what the callback resolved before it returns. */
  if (napi_make_callback(env, sock->context, global, callback, 0, NULL, NULL) == napi_pending_exception) {
    napi_value error;
    MUST(napi_get_and_clear_last_exception(env, &error));
    napi_fatal_exception(env, error);
  }
  MUST(napi_close_handle_scope(env, scope));
}

static int open_connected(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path)) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
  int why = errno;
  close(fd);
  return -why;
}

/* Descriptors that come with a message are closed by the kernel, since nobody asks for them: that ends a barrier. */
static int open_listening(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path)) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
  int why = errno;
  close(fd);
  return -why;
}

static napi_value open_socket(napi_env env, napi_callback_info info, int (*open)(const char *)) {
  napi_value values[2], name, result;
  char path[4096];
  size_t length;
  arguments(env, info, 2, values);
  MUST(napi_get_value_string_utf8(env, values[0], path, sizeof(path), &length));
  int fd = open(path);
  if (fd < 0) return number(env, fd);
  packet_socket *sock = malloc(sizeof(*sock));
  uv_poll_t *poll = malloc(sizeof(*poll));
  uv_loop_t *loop;
  MUST(napi_get_uv_event_loop(env, &loop));
  int failed = sock == NULL || poll == NULL ? UV_ENOMEM : uv_poll_init(loop, poll, fd);
  if (failed) {
    free(sock);
    free(poll);
    close(fd);
    return number(env, failed);
  }
  poll->data = sock;
  sock->poll = poll;
  sock->env = env;
  sock->fd = fd;
  MUST(napi_create_string_utf8(env, "tspod.packet", NAPI_AUTO_LENGTH, &name));
  MUST(napi_async_init(env, NULL, name, &sock->context));
  MUST(napi_create_reference(env, values[1], 1, &sock->on_ready));
  MUST(napi_create_external(env, sock, collected, NULL, &result));
  return result;
}

static napi_value connect_socket(napi_env env, napi_callback_info info) {
  return open_socket(env, info, open_connected);
}

static napi_value listen_socket(napi_env env, napi_callback_info info) {
  return open_socket(env, info, open_listening);
}

static napi_value watch(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t events;
  arguments(env, info, 2, values);
  packet_socket *sock = socket_in(env, values[0]);
  MUST(napi_get_value_int32(env, values[1], &events));
  if (sock->fd < 0) return number(env, -EBADF);
  return number(env, events == 0 ? uv_poll_stop(sock->poll) : uv_poll_start(sock->poll, events, ready));
}

static napi_value transfer(napi_env env, napi_callback_info info, int sending) {
  napi_value values[2];
  void *bytes;
  size_t length;
  arguments(env, info, 2, values);
  packet_socket *sock = socket_in(env, values[0]);
  MUST(napi_get_buffer_info(env, values[1], &bytes, &length));
  ssize_t done;
  if (sock->fd < 0) return number(env, -EBADF);
  do {
    done = sending ? send(sock->fd, bytes, length, MSG_NOSIGNAL) : recv(sock->fd, bytes, length, MSG_TRUNC);
  } while (done < 0 && errno == EINTR);
  return number(env, done < 0 ? -errno : done);
}

static napi_value send_packet(napi_env env, napi_callback_info info) { return transfer(env, info, 1); }

static napi_value receive_packet(napi_env env, napi_callback_info info) { return transfer(env, info, 0); }

static napi_value finish(napi_env env, napi_callback_info info) {
  napi_value value;
  arguments(env, info, 1, &value);
  packet_socket *sock = socket_in(env, value);
  return number(env, shutdown(sock->fd, SHUT_WR) < 0 ? -errno : 0);
}

static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value value;
  arguments(env, info, 1, &value);
  shut(socket_in(env, value));
  return number(env, 0);
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "connect", .method = connect_socket, .attributes = napi_enumerable},
      {.utf8name = "listen", .method = listen_socket, .attributes = napi_enumerable},
      {.utf8name = "watch", .method = watch, .attributes = napi_enumerable},
      {.utf8name = "send", .method = send_packet, .attributes = napi_enumerable},
      {.utf8name = "receive", .method = receive_packet, .attributes = napi_enumerable},
      {.utf8name = "finish", .method = finish, .attributes = napi_enumerable},
      {.utf8name = "close", .method = close_socket, .attributes = napi_enumerable},
  };
  MUST(napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions));
  return exports;
}
