/*
 * A program that outlives this process, and whoever waits for that: no child of
 * ours, in a session of its own, with no terminal and none of our descriptors
 * but one.
 */
#ifndef POOL_DETACH_H
#define POOL_DETACH_H

#include <sys/types.h>

/*
 * Starts argv[0], a path, with environment `env`; `fd` becomes its standard
 * input, output and errors are appended to the file `log`, which is made
 * readable to the user alone. Signals have their default action. The caller
 * keeps `fd`. Returns its pid, or -errno: also where it cannot be executed.
 */
pid_t detach_start(char *const argv[], char *const env[], const char *log,
		   int fd);

#endif
