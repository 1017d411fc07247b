/*
 * Preloaded into tspod, a host that has no room for one more process: posix_spawn(3) answers EAGAIN to the calls that
 * NO_PROCESS=FIRST-LAST says, counted from 1, and writes a line for each into /tmp/no-process. Threads are made all the
 * same, which strace cannot tell apart: glibc makes both by clone3(2).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
  static unsigned calls;
  unsigned first, last;
  const char *range = getenv("NO_PROCESS");
  calls++;
  if (range != NULL && sscanf(range, "%u-%u", &first, &last) == 2 && calls >= first && calls <= last) {
    FILE *log = fopen("/tmp/no-process", "a");
    if (log != NULL) {
      fprintf(log, "%s\n", path);
      fclose(log);
    }
    return EAGAIN;
  }
  spawn_function *real = (spawn_function *)dlsym(RTLD_NEXT, "posix_spawn");
  return real(pid, path, actions, attributes, argv, envp);
}
