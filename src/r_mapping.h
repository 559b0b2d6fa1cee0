/*
 * What all vectors over mapped segments have in common: the mapping that a
 * vector's data is, and the stand-in for it in a message.
 *
 * The first slot of such an ALTREP object is an external pointer to its
 * mapping, or a raw vector: the name of a segment and a length, which is what
 * R_Serialize() writes of a stand-in. A mapped vector is serialized as any
 * other.
 */
#ifndef POOL_R_MAPPING_H
#define POOL_R_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <R.h>
#include <Rinternals.h>
/* Needs what stands above. */
#include <R_ext/Altrep.h>

#include "chan.h"

struct mapping {
	pid_t owner;
	unsigned char *at;
	size_t size;   /* bytes */
	size_t length; /* elements */
	int fd;	       /* of the segment, to map it again; -1: not kept */
	bool written;  /* or may have been: it is not what the segment is */
	bool known;    /* of strings: all have been asked for */
};

/* Where stand-ins that are unserialized find their data: with the message in
 * front of a channel; NULL: nowhere. What it was before. */
struct chan *r_mapping_source(struct chan *from);

/* The state of a stand-in; is x one? */
SEXP r_mapping_state(uint64_t id, size_t length);
bool r_mapping_is_stand_in(SEXP x);

/* A mapped vector's; throws for a stand-in. */
struct mapping *r_mapping(SEXP x);
R_xlen_t r_mapping_length(SEXP x);

/* The pointer to a new mapping of what a stand-in's state tells of, at least
 * `width` bytes an element; throws. */
SEXP r_mapping_claim(SEXP state, size_t width);

/* The same of a segment that x is mapped from, as long as x is still the same:
 * pages are copied when they are written. NULL: it cannot be had. */
SEXP r_mapping_again(SEXP x, size_t width);

/* The descriptor, not the caller's, of the segment that x is mapped from and
 * still equals; -1: there is none. */
int r_mapping_segment(SEXP x);

/* Methods that all classes have. */
void r_mapping_methods(R_altrep_class_t class);

#endif
