/*
 * User namespaces and mounts with mapped ids, for neither of which Node or the host's programs have a call that fits
 * (docs/adr/0006-user-namespaces.md). Only system calls are here; what is made, and taken back, is userns.ts's.
 * Whatever can fail returns the negative errno.
 *
 *   hold(flags, fd) -> pid | -errno        a process in new namespaces (CLONE_NEW…), which lives until `release` or
 *                                          until this process ends; first it joins the user namespace fd, unless -1
 *   release(pid) -> 0 | -errno             ends it
 *   openTree(path, recursive) -> fd | -errno       a mount of its own, of what path leads to, attached nowhere yet
 *   mapIds(fd, userns, recursive) -> 0 | -errno    shows its owners by the mappings of the user namespace
 *   attach(fd, path) -> 0 | -errno         puts it at path; fd still has to be closed
 *   bind(source, path) -> 0 | -errno       as mount --bind does
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <node_api.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* A call into Node-API that fails is a mistake of userns.ts, not of the user. */
#define MUST(call) \
  do { \
    if ((call) != napi_ok) napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, #call, NAPI_AUTO_LENGTH); \
  } while (0)

static napi_value answer(napi_env env, long result) {
  napi_value value;
  MUST(napi_create_int64(env, result < 0 ? -errno : result, &value));
  return value;
}

static void arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values) {
  size_t count = wanted;
  MUST(napi_get_cb_info(env, info, &count, values, NULL, NULL));
  if (count != wanted) napi_fatal_error(__FILE__, NAPI_AUTO_LENGTH, "wrong number of arguments", NAPI_AUTO_LENGTH);
}

static int number_in(napi_env env, napi_value value) {
  int32_t number;
  MUST(napi_get_value_int32(env, value, &number));
  return number;
}

static bool truth_in(napi_env env, napi_value value) {
  bool truth;
  MUST(napi_get_value_bool(env, value, &truth));
  return truth;
}

/* What is too long is cut, and the kernel refuses what is left of 4095 bytes and more. */
static void path_in(napi_env env, napi_value value, char path[static 4097]) {
  size_t length;
  MUST(napi_get_value_string_utf8(env, value, path, 4097, &length));
}

/* In the copy of a process with many threads: nothing but system calls until it ends. */
static _Noreturn void stay(int flags, int userns, int told) {
  int failed = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (userns >= 0 && setns(userns, CLONE_NEWUSER) < 0) failed = errno;
  if (!failed && unshare(flags) < 0) failed = errno;
  /* Whoever asked may have ended before the signal was arranged: then nobody reads. */
  if (write(told, &failed, sizeof(failed)) != sizeof(failed) || failed) _exit(1);
  for (;;) pause();
}

static napi_value hold(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int ends[2], failed = EPIPE;
  arguments(env, info, 2, values);
  int flags = number_in(env, values[0]), userns = number_in(env, values[1]);
  if (pipe2(ends, O_CLOEXEC) < 0) return answer(env, -1);
  sigset_t all, before;
  sigfillset(&all);
  /* No handler of Node may run in the copy, nor interrupt what waits for it. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    stay(flags, userns, ends[1]);
  }
  int why = errno;
  close(ends[1]);
  if (pid > 0 && (read(ends[0], &failed, sizeof(failed)) != sizeof(failed) || failed)) {
    waitpid(pid, NULL, 0);
    pid = -1;
    why = failed;
  }
  close(ends[0]);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = why;
  return answer(env, pid);
}

static napi_value release(napi_env env, napi_callback_info info) {
  napi_value value;
  arguments(env, info, 1, &value);
  pid_t pid = number_in(env, value);
  if (kill(pid, SIGKILL) < 0) return answer(env, -1);
  return answer(env, waitpid(pid, NULL, 0) < 0 ? -1 : 0);
}

static napi_value open_tree_at(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char path[4097];
  arguments(env, info, 2, values);
  path_in(env, values[0], path);
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (truth_in(env, values[1]) ? AT_RECURSIVE : 0);
  return answer(env, syscall(SYS_open_tree, AT_FDCWD, path, flags));
}

static napi_value map_ids(napi_env env, napi_callback_info info) {
  napi_value values[3];
  arguments(env, info, 3, values);
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = number_in(env, values[1])};
  unsigned flags = AT_EMPTY_PATH | (truth_in(env, values[2]) ? AT_RECURSIVE : 0);
  return answer(env, syscall(SYS_mount_setattr, number_in(env, values[0]), "", flags, &attributes, sizeof(attributes)));
}

static napi_value attach(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char path[4097];
  arguments(env, info, 2, values);
  path_in(env, values[1], path);
  int tree = number_in(env, values[0]);
  return answer(env, syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
}

static napi_value bind_at(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char source[4097], path[4097];
  arguments(env, info, 2, values);
  path_in(env, values[0], source);
  path_in(env, values[1], path);
  return answer(env, syscall(SYS_mount, source, path, NULL, MS_BIND, NULL));
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "hold", .method = hold, .attributes = napi_enumerable},
      {.utf8name = "release", .method = release, .attributes = napi_enumerable},
      {.utf8name = "openTree", .method = open_tree_at, .attributes = napi_enumerable},
      {.utf8name = "mapIds", .method = map_ids, .attributes = napi_enumerable},
      {.utf8name = "attach", .method = attach, .attributes = napi_enumerable},
      {.utf8name = "bind", .method = bind_at, .attributes = napi_enumerable},
  };
  MUST(napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions));
  return exports;
}
