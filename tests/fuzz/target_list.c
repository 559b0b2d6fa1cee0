/*
 * A page of List Blobs from a service gone wrong: pieces that such pages are
 * made of, in any order, cut and changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blob_list.h"
#include "frames.h"
#include "world.h"

enum { PIECES = 60 };

static const char *const pieces[] = {
	"<?xml version=\"1.0\"?>",
	"\xef\xbb\xbf",
	"<EnumerationResults>",
	"</EnumerationResults>",
	"<Blobs>",
	"</Blobs>",
	"<Blob>",
	"</Blob>",
	"<Metadata>",
	"</Metadata>",
	"<Name>",
	"</Name>",
	"<Name Encoded=\"true\">",
	"<Name/>",
	"a",
	"%C3%A4",
	"&amp;",
	"&#x20AC;",
	"&#65;",
	"&lt;",
	"\xc3\xa4",
	"<Properties>",
	"</Properties>",
	"<Content-Length>12</Content-Length>",
	"<Etag/>",
	"<BlobPrefix>",
	"</BlobPrefix>",
	"<NextMarker>m</NextMarker>",
	"<x ",
	"y='z'",
	">",
	"/>",
	"<!DOCTYPE",
	"<!--",
	"&#",
	"\n",
	"<Blob><Name>b</Name><Properties><BlobType>BlockBlob</BlobType>"
	"</Properties></Blob>",
	"<Blob><Name>b</Name><Metadata><BlobType>x</BlobType></Metadata></"
	"Blob>",
	"<EnumerationResults><Blobs><Blob><Name>c</Name></Blob>",
	"</Blobs><NextMarker/></EnumerationResults>"};

static void make(struct input *in, struct rng *r)
{
	frames_begin(in, r);
	size_t begin = in->n;
	for (size_t i = rng_below(r, PIECES); i > 0; i--) {
		const char *piece =
			pieces[rng_below(r, sizeof pieces / sizeof *pieces)];
		memcpy(in->bytes + in->n, piece, strlen(piece));
		in->n += strlen(piece);
	}
	if (in->n == begin || rng_one_in(r, 2))
		return;
	for (size_t i = rng_below(r, 4); i > 0; i--)
		in->bytes[begin + rng_below(r, in->n - begin)] =
			(unsigned char)rng_below(r, 256);
	in->n -= rng_below(r, in->n - begin);
}

static void look(const struct blob_list *l)
{
	REQUIRE(l->marker.at + l->marker.len <= l->texts.len);
	for (size_t i = 0; i < l->n_columns; i++) {
		const struct blob_column *c = &l->columns[i];
		REQUIRE(c->n <= l->n);
		for (size_t row = 0; row < c->n; row++)
			REQUIRE(c->cells[row].at + c->cells[row].len <=
				l->texts.len);
	}
}

static void run(const unsigned char *bytes, size_t n)
{
	uint64_t seed = frames_seed(bytes, n);
	world_begin(seed);
	n -= sizeof seed;
	/* No more than there is, so that a byte too far is seen. */
	unsigned char *page = malloc(n ? n : 1);
	if (page) {
		static const char *const wanted[] = {"Name", "Content-Length",
						     "Metadata/BlobType"};
		bool all = rng_one_in(&world.rng, 2);
		struct blob_list l;
		memcpy(page, bytes + sizeof seed, n);
		int rc = blob_list_read(&l, page, n, all ? NULL : wanted, 3);
		REQUIRE(rc == 0 || rc == -EBADMSG ||
			(rc == -ENOMEM && world.failed));
		if (rc == 0)
			look(&l);
		blob_list_release(&l);
	}
	free(page);
	world_end();
}

const struct target target_list = {"list", 8, make, run};
