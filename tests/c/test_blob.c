/* Blobs: references, and the descriptors that go with them. */
#include "blob.h"

#include <fcntl.h>

#include "test.h"

static void blobs_are_shared(void)
{
	struct blob *s = blob_new();
	CHECK(s && s->refs == 1 && s->buf.len == 0);
	CHECK(buf_append(&s->buf, "shared", 6) == 0);
	CHECK(blob_ref(s) == s && blob_ref(s) == s && s->refs == 3);
	blob_unref(s);
	blob_unref(s);
	CHECK(s->refs == 1 && memcmp(s->buf.bytes, "shared", 6) == 0);
	blob_unref(s); /* kept, it would be a leak that the sanitizer sees */
	blob_unref(NULL);
}

/* The last owner closes them, and nobody before. */
static void owns_descriptors(void)
{
	enum { N = 20 };
	int fds[N];
	struct blob *s = blob_new();
	CHECK(s && s->n_fds == 0);
	for (size_t i = 0; i < N; i++) {
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 3);
		CHECK(fds[i] >= 0 && blob_attach(s, fds[i]) == 0);
		CHECK(s->n_fds == i + 1 && s->fds[i] == fds[i]);
	}
	CHECK(blob_ref(s) == s);
	blob_unref(s);
	for (size_t i = 0; i < N; i++)
		CHECK(s->fds[i] == fds[i] && fcntl(fds[i], F_GETFD) >= 0);
	blob_unref(s);
	for (size_t i = 0; i < N; i++)
		CHECK(fcntl(fds[i], F_GETFD) < 0);
}

int main(void)
{
	int before = test_descriptors(getpid());
	blobs_are_shared();
	owns_descriptors();
	CHECK(test_descriptors(getpid()) == before);
	return 0;
}
