/*
 * Namespaces and mounts, for which Node has no call (docs/adr/0006-user-namespaces.md, docs/adr/0010-pinning.md).
 * Only system calls are here; what is made, and taken back, is namespaces.ts's. Whatever can fail returns the
 * negative errno.
 *
 *   pin(flags, loopback, net, ipc, uts) -> 0 | -errno       new namespaces (CLONE_NEW…), bound to these files; "" for
 *                                          none; a network has its loopback up, or hears no router advertisements
 *   settle(fd, loopback) -> 0 | -errno     the same for the network namespace of fd, which is there already
 *   unmount(path) -> 0 | -errno            what is mounted on path itself, a link is not followed
 *   hold(flags, fd) -> pid | -errno        a process in new namespaces (CLONE_NEW…), which lives until `release` or
 *                                          until this process ends; first it joins the user namespace fd, unless -1
 *   release(pid) -> 0 | -errno             ends it
 *   openTree(path, recursive) -> fd | -errno       a mount of its own, of what path leads to, attached nowhere yet
 *   mapIds(fd, userns, recursive) -> 0 | -errno    shows its owners by the mappings of the user namespace
 *   attach(fd, path) -> 0 | -errno         puts it at path; fd still has to be closed
 *   bind(source, path) -> 0 | -errno       as mount --bind does
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static napi_value answer(napi_env env, long result) { return number(env, result < 0 ? -errno : result); }

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

/* <sys/mount.h> and <linux/mount.h> cannot be included together on Debian 12. */
static int bind_mount(const char *source, const char *target) {
  return (int)syscall(SYS_mount, source, target, NULL, MS_BIND, NULL);
}

static napi_value bind_at(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char source[4097], path[4097];
  arguments(env, info, 2, values);
  path_in(env, values[0], source);
  path_in(env, values[1], path);
  return answer(env, bind_mount(source, path));
}

/* What a thread of its own is to do: all others stay in the namespaces of the host. */
struct errand {
  int flags, network; /* network: of a namespace to enter, or -1 to make those of flags */
  bool loopback;
  char net[4097], ipc[4097], uts[4097];
  int failed;
};

static int raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return -1;
  int result = ioctl(socket_fd, SIOCGIFFLAGS, &request);
  request.ifr_flags |= IFF_UP;
  if (result == 0) result = ioctl(socket_fd, SIOCSIFFLAGS, &request);
  int why = errno;
  close(socket_fd);
  errno = why;
  return result;
}

/* Below /proc/sys/net everybody sees the network namespace of the thread that opens the file. A host without IPv6
 * has none. */
static int ignore_advertisements(const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? 0 : -1;
  ssize_t written = write(fd, "0\n", 2);
  int why = errno;
  close(fd);
  errno = why;
  return written == 2 ? 0 : -1;
}

static int settle_network(bool loopback) {
  if (loopback) return raise_loopback();
  return ignore_advertisements("/proc/sys/net/ipv6/conf/all/accept_ra") ||
         ignore_advertisements("/proc/sys/net/ipv6/conf/default/accept_ra");
}

static int bind_own(const char *kind, const char *target) {
  return *target ? bind_mount(kind, target) : 0;
}

static void *run_errand(void *argument) {
  struct errand *errand = argument;
  int entered = errand->network >= 0 ? setns(errand->network, CLONE_NEWNET) : unshare(errand->flags);
  bool has_network = errand->network >= 0 || (errand->flags & CLONE_NEWNET);
  bool done = entered == 0 && (!has_network || settle_network(errand->loopback) == 0) &&
              bind_own("/proc/thread-self/ns/net", errand->net) == 0 &&
              bind_own("/proc/thread-self/ns/ipc", errand->ipc) == 0 &&
              bind_own("/proc/thread-self/ns/uts", errand->uts) == 0;
  errand->failed = done ? 0 : errno;
  return NULL;
}

static napi_value send_on(napi_env env, struct errand *errand) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  /* No handler of Node's may run in it. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&thread, NULL, run_errand, errand);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed == 0) failed = pthread_join(thread, NULL);
  errno = failed ? failed : errand->failed;
  return answer(env, errno ? -1 : 0);
}

static napi_value pin(napi_env env, napi_callback_info info) {
  napi_value values[5];
  struct errand errand = {.network = -1};
  arguments(env, info, 5, values);
  errand.flags = number_in(env, values[0]);
  errand.loopback = truth_in(env, values[1]);
  path_in(env, values[2], errand.net);
  path_in(env, values[3], errand.ipc);
  path_in(env, values[4], errand.uts);
  return send_on(env, &errand);
}

static napi_value settle(napi_env env, napi_callback_info info) {
  napi_value values[2];
  arguments(env, info, 2, values);
  struct errand errand = {.network = number_in(env, values[0]), .loopback = truth_in(env, values[1])};
  return send_on(env, &errand);
}

static napi_value unmount(napi_env env, napi_callback_info info) {
  napi_value value;
  char path[4097];
  arguments(env, info, 1, &value);
  path_in(env, value, path);
  return answer(env, syscall(SYS_umount2, path, UMOUNT_NOFOLLOW));
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "pin", .method = pin, .attributes = napi_enumerable},
      {.utf8name = "settle", .method = settle, .attributes = napi_enumerable},
      {.utf8name = "unmount", .method = unmount, .attributes = napi_enumerable},
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
