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

struct out {
	struct chan *chan;	/* NULL: into the writer alone */
	struct wire_writer *to; /* NULL: nowhere */
	const struct r_patience *patience;
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

static void out_bytes(R_outpstream_t stream, void *bytes, int n)
{
	struct out *o = (struct out *)stream->data;
	if (o->rc < 0 || !o->to)
		return;
	o->rc = wire_put(o->to, bytes, (size_t)n);
	if (o->rc == 0 && o->chan && chan_backlog(o->chan))
		o->rc = relieve(o->chan, o->patience);
	if (o->rc == -ENOMEM || o->rc == -EFBIG)
		Rf_error("no memory for the serialized object");
}

static void out_char(R_outpstream_t stream, int c)
{
	char byte = (char)c;
	out_bytes(stream, &byte, 1);
}

static int serialize(struct out *o, SEXP x)
{
	struct R_outpstream_st stream;
	R_InitOutPStream(&stream, (R_pstream_data_t)o, R_pstream_binary_format,
			 3, out_char, out_bytes, NULL, R_NilValue);
	R_Serialize(x, &stream);
	return o->rc;
}

int r_stream_write(struct chan *c, const struct wire_head *h, SEXP x,
		   const struct r_patience *patience)
{
	int rc = chan_begin(c, h);
	if (rc < 0)
		return rc;
	struct out o = {.chan = c, .to = &c->writing, .patience = patience};
	rc = serialize(&o, x);
	if (rc == 0)
		chan_end(c);
	return rc;
}

int r_stream_write_blob(struct blob *b, const struct wire_head *h, SEXP x)
{
	struct wire_writer w;
	int rc = wire_begin(&w, &b->buf, h);
	if (rc < 0)
		return rc;
	struct out o = {.to = &w};
	rc = serialize(&o, x);
	if (rc == 0)
		wire_end(&w);
	return rc;
}

void r_stream_try(SEXP x)
{
	struct out o = {0};
	(void)serialize(&o, x);
}

int r_stream_flush(struct chan *c, const struct r_patience *patience)
{
	return chan_pending(c) ? relieve(c, patience) : 0;
}

struct in {
	struct chan *chan;
	const struct r_patience *patience;
};

static void in_bytes(R_inpstream_t stream, void *bytes, int n)
{
	struct in *i = (struct in *)stream->data;
	size_t got = 0;
	int rc;
	while ((rc = chan_pull(i->chan, bytes, (size_t)n, &got)) == -EAGAIN) {
		rc = i->patience->go_on(i->patience->of);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		Rf_error("a serialized object ended early: %s", strerror(-rc));
}

static int in_char(R_inpstream_t stream)
{
	unsigned char byte;
	in_bytes(stream, &byte, 1);
	return byte;
}

static int leave_message(struct chan *c, const struct r_patience *patience)
{
	int rc;
	while ((rc = chan_finish(c)) == -EAGAIN) {
		rc = patience->go_on(patience->of);
		if (rc < 0)
			return rc;
	}
	return rc;
}

SEXP r_stream_read(struct chan *c, const struct r_patience *patience)
{
	SEXP x = R_NilValue;
	if (c->left > 0 || !c->last) {
		struct R_inpstream_st stream;
		struct in i = {.chan = c, .patience = patience};
		R_InitInPStream(&stream, (R_pstream_data_t)&i,
				R_pstream_any_format, in_char, in_bytes, NULL,
				R_NilValue);
		x = R_Unserialize(&stream);
	}
	PROTECT(x);
	int rc = leave_message(c, patience);
	if (rc < 0)
		Rf_error("a message ended early: %s", strerror(-rc));
	UNPROTECT(1);
	return x;
}
