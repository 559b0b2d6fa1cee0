/* A value as the end of a record. */
#include "value.h"

#include <errno.h>

enum { HERE = 0, APART = 1 }; /* the first byte */

size_t value_head(const struct value *v, unsigned char out[VALUE_HEAD])
{
	out[0] = v->large ? APART : HERE;
	if (v->large)
		large_pack(&v->ref, out + 1);
	return v->large ? VALUE_HEAD : 1;
}

struct bytes value_tail(const struct value *v)
{
	struct bytes none = {NULL, 0};
	return v->large ? none : v->bytes;
}

int value_read(struct bytes content, struct value *v)
{
	const unsigned char *p = content.at;
	if (content.n < 1 || p[0] > APART)
		return -EBADMSG;
	*v = (struct value){.large = p[0] == APART};
	if (!v->large) {
		v->bytes = (struct bytes){p + 1, content.n - 1};
		return 0;
	}
	if (content.n != VALUE_HEAD)
		return -EBADMSG;
	large_unpack(p + 1, &v->ref);
	v->bytes.n = (size_t)v->ref.size;
	return 0;
}
