/*
 * The trace: rows of a log in C, which R takes over at its end.
 *
 * Nodes time their elements themselves, by the clock that all processes share,
 * and send the rows with the results; what a node had not sent when it died is
 * known as far as its record goes.
 */
#include "r_trace.h"

#include <string.h>

#include "clock.h"
#include "proc.h"
#include "r_call.h"
#include "r_entry.h"

static const size_t MOST = (size_t)256 << 20; /* bytes of the log */
enum { CUT_ONE = 1 };

struct row {
	uint64_t begin, end;
	uint64_t first, count;
	uint32_t call; /* from 1 */
	uint32_t node; /* from 1; 0: none */
	int32_t pid;
	uint32_t tries;
	uint16_t kind, how;
};

static struct {
	pid_t owner;
	unsigned depth; /* traces that are on */
	uint64_t id;	/* of the outermost one */
	struct buf rows;
	uint32_t calls;
	SEXP labels; /* a cell, preserved: its car is a pairlist, last first */
	bool full;
} trace;

bool r_trace_on(void)
{
	return trace.depth > 0 && trace.owner == proc_self();
}

static bool is_traced(const struct r_pool *r)
{
	return r->traced.log > 0 && r->traced.log == trace.id && r_trace_on();
}

static struct row *rows(void)
{
	return (struct row *)(void *)trace.rows.bytes;
}

static size_t n_rows(void)
{
	return trace.rows.len / sizeof(struct row);
}

static void add(const struct row *row)
{
	trace.full |= buf_append(&trace.rows, row, sizeof(*row)) < 0;
}

/* ---- on and off ---- */

SEXP C_trace_begin(void)
{
	if (!trace.labels) {
		trace.labels = Rf_cons(R_NilValue, R_NilValue);
		R_PreserveObject(trace.labels);
		buf_init(&trace.rows, MOST);
	}
	if (!r_trace_on()) {
		trace.owner = proc_self();
		trace.depth = 0;
		trace.calls = 0;
		trace.full = false;
		trace.id++;
		buf_clear(&trace.rows);
		SETCAR(trace.labels, R_NilValue);
	}
	trace.depth++;
	const struct row mark = {
		.begin = clock_now(), .call = trace.calls, .kind = TRACE_MARK};
	add(&mark);
	return Rf_ScalarReal((double)n_rows() - 1);
}

enum column {
	CALL,
	NODE,
	PID,
	KIND,
	HOW,
	TRIES,
	FIRST,
	COUNT,
	BEGIN,
	END,
	LABELS,
	FULL,
	COLUMNS
};

static double since(uint64_t moment, uint64_t base)
{
	return moment >= base ? (double)(moment - base) / 1e9 : 0;
}

static void fill_row(SEXP all, R_xlen_t i, const struct row *x,
		     const struct row *mark)
{
	const int whole[] = {(int)(x->call - mark->call),
			     (int)x->node,
			     x->pid,
			     x->kind,
			     x->how,
			     (int)x->tries};
	const double real[] = {(double)x->first, (double)x->count,
			       since(x->begin, mark->begin),
			       since(x->end, mark->begin)};
	for (int k = CALL; k <= TRIES; k++)
		INTEGER(VECTOR_ELT(all, k))[i] = whole[k];
	for (int k = FIRST; k <= END; k++)
		REAL(VECTOR_ELT(all, k))[i] = real[k - FIRST];
}

/* The rows since the mark as columns, moments in seconds from it. */
SEXP C_trace_end(SEXP mark)
{
	static const char *const names[] = {
		"call",	 "node",  "pid", "kind",   "how",  "tries", "first",
		"count", "begin", "end", "labels", "full", ""};
	size_t from = (size_t)Rf_asReal(mark);
	if (!r_trace_on() || from >= n_rows())
		return R_NilValue;
	trace.depth--; /* also where memory fails */
	struct row first = rows()[from];
	R_xlen_t n = (R_xlen_t)(n_rows() - from - 1);
	SEXP all = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	for (int k = CALL; k <= END; k++)
		SET_VECTOR_ELT(all, k,
			       Rf_allocVector(k < FIRST ? INTSXP : REALSXP, n));
	for (R_xlen_t i = 0; i < n; i++)
		fill_row(all, i, &rows()[from + 1 + (size_t)i], &first);
	R_xlen_t calls = (R_xlen_t)(trace.calls - first.call);
	SET_VECTOR_ELT(all, LABELS, Rf_allocVector(STRSXP, calls));
	SEXP label = CAR(trace.labels);
	for (R_xlen_t i = calls; i-- > 0; label = CDR(label))
		SET_STRING_ELT(VECTOR_ELT(all, LABELS), i, CAR(label));
	SET_VECTOR_ELT(all, FULL, Rf_ScalarLogical(trace.full));
	if (trace.depth == 0) {
		buf_release(&trace.rows);
		buf_init(&trace.rows, MOST);
		SETCAR(trace.labels, R_NilValue);
	}
	UNPROTECT(1);
	return all;
}

/* ---- a call ---- */

SEXP r_trace_constant(SEXP constant)
{
	static const char *const names[] = {"seed", "timed", "stops", "traced",
					    ""};
	SEXP limits = VECTOR_ELT(constant, 3);
	SEXP ours = PROTECT(Rf_mkNamed(VECSXP, (const char **)(size_t)names));
	bool any = limits != R_NilValue;
	SET_VECTOR_ELT(ours, 0, any ? VECTOR_ELT(limits, 0) : R_NilValue);
	SET_VECTOR_ELT(ours, 1, Rf_ScalarLogical(TRUE));
	SET_VECTOR_ELT(ours, 2,
		       any ? VECTOR_ELT(limits, 2) : Rf_ScalarLogical(FALSE));
	SET_VECTOR_ELT(ours, 3, Rf_ScalarLogical(TRUE));
	SEXP copy = PROTECT(Rf_shallow_duplicate(constant));
	SET_VECTOR_ELT(copy, 3, ours);
	UNPROTECT(2);
	return copy;
}

void r_trace_call(struct r_pool *r, uint64_t begin)
{
	SEXP label = PROTECT(r_call("trace_label"));
	SETCAR(trace.labels, Rf_cons(STRING_ELT(label, 0), CAR(trace.labels)));
	UNPROTECT(1);
	r->traced.log = trace.id;
	r->traced.row = n_rows();
	r->traced.call = ++trace.calls;
	const struct row row = {.begin = begin,
				.end = begin,
				.first = r->pool.n,
				.count = r->sched.n,
				.call = r->traced.call,
				.tries = r->kind,
				.kind = TRACE_CALL,
				.how = TRACE_CUT};
	add(&row);
}

uint64_t r_trace_now(const struct r_pool *r)
{
	return r->traced.log > 0 ? clock_now() : 0;
}

static void add_worker(const struct r_pool *r, size_t slot, struct row *row)
{
	row->call = r->traced.call;
	row->node = (uint32_t)slot + 1;
	row->pid = r->pool.workers[slot].pid;
	add(row);
}

void r_trace_did(const struct r_pool *r, enum trace_kind kind, size_t slot,
		 uint64_t begin)
{
	if (!is_traced(r))
		return;
	uint64_t now = clock_now();
	struct row row = {.begin = begin > 0 ? begin : now,
			  .end = now,
			  .kind = (uint16_t)kind};
	add_worker(r, slot, &row);
}

static uint32_t tries_of(const struct r_pool *r, uint64_t element)
{
	return r->sched.tries ? r->sched.tries[element] : 0;
}

/* What a trace calls an element: its number, from 1, not the place that it has
 * in a call with an open end, and others after it. */
static uint64_t number_of(const struct r_pool *r, uint64_t element)
{
	const struct feed *f = &r->sched.feed;
	return f->room > 0 ? f->number[element] : element + 1;
}

bool r_trace_laps(const struct r_pool *r, size_t slot, SEXP laps)
{
	const struct worker *w = &r->pool.workers[slot];
	if (TYPEOF(laps) != RAWSXP ||
	    (size_t)Rf_xlength(laps) % sizeof(struct lap) != 0)
		return false;
	size_t n = (size_t)Rf_xlength(laps) / sizeof(struct lap);
	for (size_t i = 0; i < n; i++) {
		struct lap x;
		memcpy(&x, RAW(laps) + i * sizeof(x), sizeof(x));
		if (!lap_fits(&x, w->first, w->count))
			return false;
		struct row row = {.begin = x.begin,
				  .end = x.end,
				  .first = number_of(r, x.first),
				  .count = x.count,
				  .tries = tries_of(r, x.first),
				  .kind = TRACE_TASK,
				  .how = x.failed ? TRACE_ERROR : TRACE_DONE};
		if (is_traced(r))
			add_worker(r, slot, &row);
	}
	return true;
}

/* Has the death of that process been seen before? */
static bool is_buried(const struct r_pool *r, size_t slot)
{
	for (size_t i = n_rows(); i-- > r->traced.row;) {
		const struct row *x = &rows()[i];
		if (x->node == slot + 1 && x->kind == TRACE_TASK &&
		    (x->how == TRACE_LOST || x->how == TRACE_EXPIRED) &&
		    x->pid == r->pool.workers[slot].pid)
			return true;
	}
	return false;
}

void r_trace_death(const struct r_pool *r, const struct r_trace_end *e)
{
	if (!is_traced(r) || is_buried(r, e->slot))
		return;
	uint64_t now = clock_now();
	bool known = e->since > 0 && e->since != UINT64_MAX && e->since < now;
	uint64_t least = e->expired ? r->timeout : 0; /* it ran so long */
	struct row row = {.begin = known ? e->since : now - least,
			  .end = now,
			  .kind = TRACE_TASK,
			  .how = e->expired ? TRACE_EXPIRED : TRACE_LOST};
	if (e->element) {
		row.first = number_of(r, *e->element);
		row.count = CUT_ONE;
		/* It has been charged with this one. */
		uint32_t tries = tries_of(r, *e->element);
		row.tries = tries > 0 ? tries - 1 : 0;
	}
	add_worker(r, e->slot, &row);
}

/* What workers are at while their call is given up. */
void r_trace_cut(struct r_pool *r)
{
	for (size_t i = 0; is_traced(r) && i < r->pool.n; i++) {
		const struct worker *w = &r->pool.workers[i];
		size_t element;
		uint64_t began = 0;
		if (w->state != WORKER_BUSY || !(w->claims || w->count > 0) ||
		    !r_call_running(r, w, &element, &began) || began == 0 ||
		    began == UINT64_MAX)
			continue;
		struct row row = {.begin = began,
				  .end = clock_now(),
				  .first = number_of(r, element),
				  .count = CUT_ONE,
				  .tries = tries_of(r, element),
				  .kind = TRACE_TASK,
				  .how = TRACE_CUT};
		add_worker(r, i, &row);
	}
}

void r_trace_over(struct r_pool *r, bool failed)
{
	if (is_traced(r) && r->traced.row < n_rows()) {
		struct row *x = &rows()[r->traced.row];
		x->end = clock_now();
		if (r->open)
			x->tries = TRACE_OPEN;
		if (r->open)
			x->count = r->sched.feed.came;
		x->how = r->sched.left > 0 ? TRACE_CUT
			 : failed	   ? TRACE_ERROR
					   : TRACE_DONE;
	}
	r->traced.log = 0;
}

/* ---- a worker ---- */

SEXP r_trace_reply(const struct laps *l, SEXP value, int kind)
{
	SEXP all = PROTECT(Rf_allocVector(VECSXP, 4));
	for (R_xlen_t k = 0; kind > 0 && k < 3; k++)
		SET_VECTOR_ELT(all, k, VECTOR_ELT(value, k));
	if (kind == 0)
		SET_VECTOR_ELT(all, 0, value);
	SEXP laps = Rf_allocVector(RAWSXP, (R_xlen_t)l->rows.len);
	SET_VECTOR_ELT(all, 3, laps);
	if (l->rows.len > 0)
		memcpy(RAW(laps), l->rows.bytes, l->rows.len);
	UNPROTECT(1);
	return all;
}
