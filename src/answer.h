/*
 * The head of an answer: its status, and its headers as they came. Owned by
 * whoever initialised it. Also what is read out of headers and bodies: pure.
 */
#ifndef POOL_ANSWER_H
#define POOL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "buf.h"

struct answer {
	int status;	  /* 0: none yet */
	struct buf lines; /* "name: value" each with its end, as they came */
};

void answer_init(struct answer *a);
void answer_release(struct answer *a);
void answer_clear(struct answer *a);

/* Takes one line in, with or without its line feed; a status line begins anew,
 * as after "100 Continue". 0 or -errno of buf. */
int answer_line(struct answer *a, const char *line, size_t n);

/* A header's value, "" where there is none; names without their case. Valid
 * until the next line. */
const char *answer_header(const struct answer *a, const char *name);

/* Line after line, from NULL on; NULL at the end. */
const char *answer_next(const struct answer *a, const char *line);

/* A header that is a date; -1 where there is none. */
time_t answer_date(const struct answer *a, const char *name);

/* Seconds from now on that the server asked to wait, as a number or a date;
 * negative: it did not. */
double answer_delay(const struct answer *a, time_t now);

/* "bytes 0-4/10"; false where it is not of that form. */
bool answer_range(const struct answer *a, uint64_t *first, uint64_t *last,
		  uint64_t *total);

/* The error's code: of the header, or else of the body. Cut where too long. */
void answer_code(const struct answer *a, const struct buf *body, char *code,
		 size_t room);

#endif
