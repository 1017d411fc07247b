/*
 * Starting programs without copying this process (docs/adr/0013-spawn.md). Only system calls are here; streams, events
 * and limits are spawn.ts's. Whatever can fail returns the negative errno.
 *
 *   start(program, argv, env, cwd, fds, session) -> pid | -errno    descriptor i of the program is fds[i] of ours, or
 *                                          /dev/null where that is -1; it has no others, no signal blocked and none
 *                                          ignored, and with session a session and process group of its own
 *   pair() -> [ours, theirs] | -errno      two ends of a stream, both close-on-exec, ours not blocking
 *   reap(pid) -> code | 256 + signal | -4096 while it runs | -errno
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 8
/* An errno is above -4096: this is none. */
#define STILL_RUNS (-4096)

static char *text_in(napi_env env, napi_value value) {
  size_t length;
  MUST(napi_get_value_string_utf8(env, value, NULL, 0, &length));
  char *text = malloc(length + 1);
  if (text == NULL) abort();
  MUST(napi_get_value_string_utf8(env, value, text, length + 1, &length));
  return text;
}

/* Ends with NULL, as execve(2) wants it. */
static char **texts_in(napi_env env, napi_value list) {
  uint32_t count;
  MUST(napi_get_array_length(env, list, &count));
  char **texts = calloc(count + 1, sizeof(*texts));
  if (texts == NULL) abort();
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    MUST(napi_get_element(env, list, i, &value));
    texts[i] = text_in(env, value);
  }
  return texts;
}

static void free_texts(char **texts) {
  for (char **text = texts; *text != NULL; text++) free(*text);
  free(texts);
}

/* All of ours that are passed on lie above the program's, so that none is overwritten before it is copied. */
static int arrange(posix_spawn_file_actions_t *actions, napi_env env, napi_value fds) {
  uint32_t count;
  MUST(napi_get_array_length(env, fds, &count));
  if (count > MOST_DESCRIPTORS) return EINVAL;
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    MUST(napi_get_element(env, fds, i, &value));
    int fd = number_in(env, value);
    /* Node has made a pipe that it writes to itself not block, which few programs are prepared for. */
    if (fd >= 0 && fd <= STDERR_FILENO) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    int failed = fd < 0 ? posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0)
                        : posix_spawn_file_actions_adddup2(actions, fd, i);
    if (failed) return failed;
  }
  return 0;
}

static napi_value start(napi_env env, napi_callback_info info) {
  napi_value values[6];
  pid_t pid = 0;
  arguments(env, info, 6, values);
  char *program = text_in(env, values[0]), *cwd = text_in(env, values[3]);
  char **argv = texts_in(env, values[1]), **envp = texts_in(env, values[2]);
  bool session = truth_in(env, values[5]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  /* sigfillset(3) leaves out the two that glibc keeps for itself, which its posix_spawn then has ignored. */
  memset(&all, 0xff, sizeof(all));
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (session ? POSIX_SPAWN_SETSID : 0));
  int failed = posix_spawn_file_actions_addchdir_np(&actions, cwd);
  if (!failed) failed = arrange(&actions, env, values[4]);
  if (!failed) failed = posix_spawn(&pid, program, &actions, &attributes, argv, envp);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  free_texts(argv);
  free_texts(envp);
  free(cwd);
  free(program);
  return number(env, failed ? -failed : pid);
}

/* Moves a descriptor above all that a program may be given. */
static int raised(int fd) {
  int high = fcntl(fd, F_DUPFD_CLOEXEC, MOST_DESCRIPTORS);
  int why = errno;
  close(fd);
  errno = why;
  return high;
}

static napi_value pair(napi_env env, napi_callback_info info) {
  int ends[2];
  napi_value result;
  arguments(env, info, 0, NULL);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return number(env, -errno);
  int theirs = raised(ends[1]);
  if (theirs < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
    int why = errno;
    close(ends[0]);
    if (theirs >= 0) close(theirs);
    return number(env, -why);
  }
  MUST(napi_create_array_with_length(env, 2, &result));
  MUST(napi_set_element(env, result, 0, number(env, ends[0])));
  MUST(napi_set_element(env, result, 1, number(env, theirs)));
  return result;
}

static napi_value reap(napi_env env, napi_callback_info info) {
  napi_value value;
  int status;
  arguments(env, info, 1, &value);
  pid_t ended;
  do ended = waitpid(number_in(env, value), &status, WNOHANG);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) return number(env, -errno);
  if (ended == 0) return number(env, STILL_RUNS);
  return number(env, WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status));
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "start", .method = start, .attributes = napi_enumerable},
      {.utf8name = "pair", .method = pair, .attributes = napi_enumerable},
      {.utf8name = "reap", .method = reap, .attributes = napi_enumerable},
  };
  MUST(napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions));
  return exports;
}
