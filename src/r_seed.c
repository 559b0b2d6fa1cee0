/* A stream of random numbers for each element: the next one is mostly one step
 * from the last. */
#include "r_seed.h"

#include <stdint.h>
#include <string.h>

#include "lecuyer.h"
#include "r_entry.h"

enum { SEED = 1 + LECUYER_WORDS };

static struct {
	bool open;
	int kind;
	uint32_t first[LECUYER_WORDS]; /* the state of element 0 */
	uint32_t now[LECUYER_WORDS];   /* of element `at` */
	size_t at;
} seed;

void r_seed_open(SEXP x)
{
	seed.open = TYPEOF(x) == INTSXP && Rf_xlength(x) == SEED;
	if (!seed.open)
		return;
	seed.kind = INTEGER(x)[0];
	memcpy(seed.first, INTEGER(x) + 1, sizeof(seed.first));
	memcpy(seed.now, seed.first, sizeof(seed.now));
	seed.at = 0;
}

void r_seed_set(size_t element)
{
	if (!seed.open)
		return;
	if (element < seed.at) {
		memcpy(seed.now, seed.first, sizeof(seed.now));
		seed.at = 0;
	}
	lecuyer_jump(seed.now, element - seed.at);
	seed.at = element;
	SEXP x = PROTECT(Rf_allocVector(INTSXP, SEED));
	INTEGER(x)[0] = seed.kind;
	memcpy(INTEGER(x) + 1, seed.now, sizeof(seed.now));
	Rf_defineVar(Rf_install(".Random.seed"), x, R_GlobalEnv);
	UNPROTECT(1);
}

/* Is that a state of the generator? */
SEXP C_seed_valid(SEXP x)
{
	uint32_t words[LECUYER_WORDS];
	if (TYPEOF(x) != INTSXP || Rf_xlength(x) != SEED)
		return Rf_ScalarLogical(FALSE);
	memcpy(words, INTEGER(x) + 1, sizeof(words));
	return Rf_ScalarLogical(lecuyer_valid(words));
}

/* The .Random.seed that is so many streams further on than x, a valid one. */
SEXP C_seed_stream(SEXP x, SEXP streams)
{
	uint32_t words[LECUYER_WORDS];
	memcpy(words, INTEGER(x) + 1, sizeof(words));
	lecuyer_jump(words, (uint64_t)Rf_asReal(streams));
	SEXP y = PROTECT(Rf_allocVector(INTSXP, SEED));
	INTEGER(y)[0] = INTEGER(x)[0];
	memcpy(INTEGER(y) + 1, words, sizeof(words));
	UNPROTECT(1);
	return y;
}
