/*
 * What systemd is told and says, who writes a file, and locks, by system calls that Node has no door for
 * (docs/adr/0009-notify.md, 0018-locks.md).
 *
 * Everything that can fail returns the negative errno; order, waiting and limits are their callers'.
 *
 *   barrier(socket) -> descriptor | -errno         sends BARRIER=1; the pipe ends once all before it has been read
 *   tell(socket, text, pid) -> length | -errno     one datagram that says it comes from pid; 0 for this process
 *   attribute(path, name) -> text | -errno         an extended attribute
 *   written(fd) -> 1 | 0 | -errno                  whether somebody has the file open for writing
 *   lock(path) -> descriptor | -errno              makes the file and locks it for as long as the descriptor is open
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A path, or with @ in front a name of the abstract kind. Returns the length, or -errno. */
static int address_of(const char *name, struct sockaddr_un *address) {
  size_t length = strlen(name);
  if (length < 2 || (name[0] != '/' && name[0] != '@')) return -EINVAL;
  if (length >= sizeof(address->sun_path)) return -ENAMETOOLONG;
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, name, length);
  int abstract = name[0] == '@';
  if (abstract) address->sun_path[0] = '\0';
  return (int)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
}

/* One datagram, with a descriptor or the credentials of a process beside it. Never waits for a reader. */
static int64_t send_one(const char *name, const char *text, int descriptor, pid_t pid) {
  struct sockaddr_un address;
  int size = address_of(name, &address);
  if (size < 0) return size;
  struct iovec part = {.iov_base = (void *)text, .iov_len = strlen(text)};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct ucred))];
  } control = {0};
  struct msghdr message = {.msg_name = &address, .msg_namelen = (socklen_t)size, .msg_iov = &part, .msg_iovlen = 1};
  struct ucred sender = {.pid = pid, .uid = getuid(), .gid = getgid()};
  if (descriptor >= 0 || pid > 0) {
    size_t length = descriptor >= 0 ? sizeof(descriptor) : sizeof(sender);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(length);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = descriptor >= 0 ? SCM_RIGHTS : SCM_CREDENTIALS;
    control.header.cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(&control.header), descriptor >= 0 ? (void *)&descriptor : (void *)&sender, length);
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  int why = errno;
  close(fd);
  return sent < 0 ? -why : sent;
}

static napi_value barrier(napi_env env, napi_callback_info info) {
  napi_value value;
  char name[256];
  size_t length;
  int ends[2];
  arguments(env, info, 1, &value);
  MUST(napi_get_value_string_utf8(env, value, name, sizeof(name), &length));
  if (pipe2(ends, O_CLOEXEC) < 0) return number(env, -errno);
  int64_t sent = send_one(name, "BARRIER=1", ends[1], 0);
  close(ends[1]);
  if (sent >= 0) return number(env, ends[0]);
  close(ends[0]);
  return number(env, sent);
}

static napi_value tell(napi_env env, napi_callback_info info) {
  napi_value values[3];
  char name[256], text[4096];
  size_t length;
  int32_t pid;
  arguments(env, info, 3, values);
  MUST(napi_get_value_string_utf8(env, values[0], name, sizeof(name), &length));
  MUST(napi_get_value_string_utf8(env, values[1], text, sizeof(text), &length));
  MUST(napi_get_value_int32(env, values[2], &pid));
  return number(env, send_one(name, text, -1, pid));
}

static napi_value attribute(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  char path[4096], name[256], text[256];
  size_t length;
  arguments(env, info, 2, values);
  MUST(napi_get_value_string_utf8(env, values[0], path, sizeof(path), &length));
  MUST(napi_get_value_string_utf8(env, values[1], name, sizeof(name), &length));
  ssize_t size = getxattr(path, name, text, sizeof(text));
  if (size < 0) return number(env, -errno);
  MUST(napi_create_string_utf8(env, text, (size_t)size, &result));
  return result;
}

/*
 * A read lease is granted only while nobody has the file open for writing. It is given back at once; whoever opens the
 * file in between makes the kernel tell us with a signal, which has to be one that is ignored unless it is waited for.
 */
static napi_value written(napi_env env, napi_callback_info info) {
  napi_value value;
  arguments(env, info, 1, &value);
  int fd = number_in(env, value);
  if (fcntl(fd, F_SETSIG, SIGURG) < 0) return number(env, -errno);
  if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) return number(env, errno == EAGAIN ? 1 : -errno);
  fcntl(fd, F_SETLEASE, F_UNLCK);
  return number(env, 0);
}

/*
 * A lock of the open file, not of the process: it goes with the descriptor, which no program that we start inherits,
 * and other descriptors of the file do not end it. A file that was removed while we opened it is one that nobody else
 * will see: that counts as held.
 */
static napi_value lock(napi_env env, napi_callback_info info) {
  napi_value value;
  char path[4096];
  size_t length;
  arguments(env, info, 1, &value);
  MUST(napi_get_value_string_utf8(env, value, path, sizeof(path), &length));
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return number(env, -errno);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  struct stat held, named;
  int why = 0;
  if (fcntl(fd, F_OFD_SETLK, &whole) < 0) why = errno == EACCES ? EAGAIN : errno;
  else if (fstat(fd, &held) < 0) why = errno;
  else if (stat(path, &named) < 0 || named.st_ino != held.st_ino || named.st_dev != held.st_dev) why = EAGAIN;
  if (why == 0) return number(env, fd);
  close(fd);
  return number(env, -why);
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "barrier", .method = barrier, .attributes = napi_enumerable},
      {.utf8name = "tell", .method = tell, .attributes = napi_enumerable},
      {.utf8name = "attribute", .method = attribute, .attributes = napi_enumerable},
      {.utf8name = "written", .method = written, .attributes = napi_enumerable},
      {.utf8name = "lock", .method = lock, .attributes = napi_enumerable},
  };
  MUST(napi_define_properties(env, exports, sizeof(functions) / sizeof(*functions), functions));
  return exports;
}
