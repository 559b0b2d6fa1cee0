/*
 * R objects over channels.
 *
 * A write to a peer that is gone must not be an R error: the worker's death is
 * the session's to handle, not the user's. From then on bytes are dropped, and
 * the failure is returned at the end.
 */
#include "r_stream.h"

#include <errno.h>
#include <string.h>

#include "chan_read.h"
#include "io.h"
#include "r_codec.h"
#include "r_large.h"
#include "r_mapping.h"
#include "r_vector.h"

enum { PIECE = 1 << 16 }; /* of a long vector, written at a time */

struct out {
	struct chan *chan;	/* NULL: into the writer alone */
	struct wire_writer *to; /* NULL: into memory, or nowhere */
	struct buf *memory;
	const struct r_patience *patience;
	bool *alone;
	int rc;
};

static int relieve(struct chan *c, const struct r_patience *patience)
{
	int rc;
	while ((rc = chan_relieve(c)) == -EAGAIN) {
		rc = patience->go_on(patience->of);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static void out(struct out *o, const void *bytes, size_t n)
{
	if (o->rc < 0)
		return;
	if (o->to)
		o->rc = wire_put(o->to, bytes, n);
	else if (o->memory)
		o->rc = buf_append(o->memory, bytes, n);
	if (o->rc == 0 && o->chan && chan_backlog(o->chan))
		o->rc = relieve(o->chan, o->patience);
	if (o->rc == -ENOMEM || o->rc == -EFBIG)
		Rf_error("no memory for the serialized object");
}

static void out_bytes(R_outpstream_t stream, void *bytes, int n)
{
	out((struct out *)stream->data, bytes, (size_t)n);
}

static void out_char(R_outpstream_t stream, int c)
{
	char byte = (char)c;
	out_bytes(stream, &byte, 1);
}

static void out_plain(void *of, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;
	for (; n > PIECE; n -= PIECE, from += PIECE)
		out((struct out *)of, from, PIECE);
	out((struct out *)of, from, n);
}

static void write_plain(struct out *o, SEXP x)
{
	struct codec_sink to = {out_plain, o};
	codec_write(x, &to);
}

/* Asked about whatever has an identity; R writes it all the same. The signature
 * is R's. */
static SEXP meet(SEXP x, SEXP alone)
{
	(void)x;
	*(bool *)R_ExternalPtrAddr(alone) = false;
	return R_NilValue;
}

static void serialize(struct out *o, SEXP x)
{
	struct R_outpstream_st stream;
	SEXP alone = R_NilValue;
	if (o->alone)
		alone = R_MakeExternalPtr(o->alone, R_NilValue, R_NilValue);
	PROTECT(alone);
	R_InitOutPStream(&stream, (R_pstream_data_t)o, R_pstream_binary_format,
			 3, out_char, out_bytes, o->alone ? meet : NULL, alone);
	R_Serialize(x, &stream);
	UNPROTECT(1);
}

static int pass_now(void *of, int fd)
{
	return chan_attach(of, fd);
}

static int pass_later(void *of, int fd)
{
	int rc = blob_attach(of, fd);
	if (rc < 0)
		io_close(&fd);
	return rc;
}

/* What is to be written for x, and how: its flags. Large vectors go beside the
 * message as far as `to` lets them. */
static SEXP prepare(SEXP x, struct large_sink *to, struct wire_head *h)
{
	if (codec_fits(x, to->most > 0 ? VECTOR_LARGE : SIZE_MAX))
		h->flags |= WIRE_PLAIN;
	else if (to->most > 0)
		x = r_large_stage(x, to);
	return x;
}

static int write_message(struct out *o, SEXP x, const struct wire_head *h)
{
	if (h->flags & WIRE_PLAIN)
		write_plain(o, x);
	else
		serialize(o, x);
	return o->rc;
}

/* `alone` is written by meet(). */
/* NOLINTBEGIN(readability-non-const-parameter) */
int r_stream_write(struct chan *c, const struct wire_head *h, SEXP x,
		   const struct r_patience *patience, bool *alone)
{
	struct wire_head head = *h;
	chan_detach(c); /* what some error left behind */
	struct large_sink to = {
		.pass = pass_now, .of = c, .most = chan_credit(c)};
	SEXP y = PROTECT(prepare(x, &to, &head));
	int rc = chan_begin_with(c, &head);
	if (rc == -EAGAIN && to.n > 0) {
		y = x; /* all of it in the message */
		head = *h;
		rc = chan_begin(c, &head);
	}
	if (rc == 0) {
		struct out o = {.chan = c,
				.to = &c->writing,
				.patience = patience,
				.alone = alone};
		rc = write_message(&o, y, &head);
	}
	if (rc == 0)
		chan_end(c);
	UNPROTECT(1);
	return rc;
}

int r_stream_write_blob(struct blob *b, const struct wire_head *h, SEXP x,
			bool segments, bool *alone)
{
	struct wire_head head = *h;
	struct large_sink to = {.pass = pass_later,
				.of = b,
				.most = segments ? WIRE_MOST_PASSED : 0};
	x = PROTECT(prepare(x, &to, &head));
	head.flags = (uint16_t)(head.flags + b->n_fds * WIRE_PASSED);
	struct wire_writer w;
	int rc = wire_begin(&w, &b->buf, &head);
	if (rc == 0) {
		struct out o = {.to = &w, .alone = alone};
		rc = write_message(&o, x, &head);
	}
	if (rc == 0)
		wire_end(&w);
	UNPROTECT(1);
	return rc;
}

/* NOLINTEND(readability-non-const-parameter) */

/* The first byte tells the form. */
void r_stream_pack(struct buf *b, SEXP x)
{
	struct out o = {.memory = b};
	unsigned char plain = codec_fits(x, SIZE_MAX);
	out(&o, &plain, 1);
	if (plain)
		write_plain(&o, x);
	else
		serialize(&o, x);
}

void r_stream_try(SEXP x)
{
	struct out o = {0};
	serialize(&o, x);
}

int r_stream_flush(struct chan *c, const struct r_patience *patience)
{
	return chan_pending(c) ? relieve(c, patience) : 0;
}

enum { AHEAD = 4096 }; /* bytes taken at a time, for whoever asks for few */

struct in {
	struct chan *chan; /* NULL: from memory */
	const struct r_patience *patience;
	const unsigned char *at; /* what can be had at once */
	size_t left;
	struct chan *outer; /* the source of vectors, where reading is nested */
	unsigned char ahead[AHEAD];
};

static void in_from(struct in *i, struct chan *c, const struct r_patience *p)
{
	i->chan = c;
	i->patience = p;
	i->at = i->ahead;
	i->left = 0;
	i->outer = NULL;
}

static void pull(const struct in *i, void *bytes, size_t n)
{
	size_t got = 0;
	int rc;
	while ((rc = chan_pull(i->chan, bytes, n, &got)) == -EAGAIN) {
		rc = i->patience->go_on(i->patience->of);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		Rf_error("a serialized object ended early: %s", strerror(-rc));
}

static void in(void *of, void *bytes, size_t n)
{
	struct in *i = of;
	unsigned char *to = bytes;
	if (n > i->left) {
		if (!i->chan)
			Rf_error("a packed object ended early");
		memcpy(to, i->at, i->left);
		to += i->left;
		n -= i->left;
		size_t here = chan_ahead(i->chan);
		i->left = here < AHEAD ? here : AHEAD;
		i->at = i->ahead;
		if (n >= i->left) {
			i->left = 0;
			pull(i, to, n);
			return;
		}
		pull(i, i->ahead, i->left);
	}
	memcpy(to, i->at, n);
	i->at += n;
	i->left -= n;
}

static void in_bytes(R_inpstream_t stream, void *bytes, int n)
{
	in(stream->data, bytes, (size_t)n);
}

static int in_char(R_inpstream_t stream)
{
	unsigned char byte;
	in_bytes(stream, &byte, 1);
	return byte;
}

static void leave_message(struct chan *c, const struct r_patience *patience)
{
	int rc;
	while ((rc = chan_finish(c)) == -EAGAIN) {
		rc = patience->go_on(patience->of);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		Rf_error("a message ended early: %s", strerror(-rc));
}

static SEXP unserialize(void *of)
{
	struct R_inpstream_st stream;
	R_InitInPStream(&stream, (R_pstream_data_t)of, R_pstream_any_format,
			in_char, in_bytes, NULL, R_NilValue);
	return R_Unserialize(&stream);
}

static SEXP read_plain(struct in *i)
{
	struct codec_source from = {in, i};
	return codec_read(&from);
}

SEXP r_stream_unpack(const unsigned char *bytes, size_t n)
{
	struct in i;
	in_from(&i, NULL, NULL);
	i.at = bytes;
	i.left = n;
	unsigned char plain;
	in(&i, &plain, 1);
	return plain ? read_plain(&i) : unserialize(&i);
}

static void outer_source(void *of)
{
	const struct in *i = of;
	(void)r_mapping_source(i->outer);
}

SEXP r_stream_read(struct chan *c, const struct r_patience *patience)
{
	SEXP x = R_NilValue;
	struct in i;
	in_from(&i, c, patience);
	if (c->head.flags & WIRE_PLAIN) {
		x = read_plain(&i);
	} else if (wire_passed(&c->head) > 0) {
		i.outer = r_mapping_source(c);
		x = R_ExecWithCleanup(unserialize, &i, outer_source, &i);
	} else if (c->left > 0 || !c->last) {
		x = unserialize(&i);
	}
	PROTECT(x);
	leave_message(c, patience);
	UNPROTECT(1);
	return x;
}

void r_stream_read_list(struct chan *c, const struct r_patience *patience,
			SEXP to, size_t at, size_t n)
{
	struct in i;
	in_from(&i, c, patience);
	struct codec_source from = {in, &i};
	codec_read_list(&from, to, (R_xlen_t)at, (R_xlen_t)n);
	leave_message(c, patience);
}
