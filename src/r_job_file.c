/* The files of a job in a directory. */
#include "r_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "io.h"
#include "job_file.h"
#include "r_entry.h"

/* x: raw, or the path of a file. */
SEXP C_job_put_file(SEXP handle, SEXP name, SEXP x)
{
	int directory = job_directory(r_job(handle, "write to"));
	int rc = TYPEOF(x) == RAWSXP ? job_file_put(directory, r_string(name),
						    RAW(x), (size_t)XLENGTH(x))
				     : job_file_copy(directory, r_string(name),
						     r_string(x));
	r_job_check(handle, "write to", rc);
	return R_NilValue;
}

/* A descriptor that an external pointer holds, so that R may throw. */
static void close_descriptor(SEXP holder)
{
	int *fd = R_ExternalPtrAddr(holder);
	if (fd)
		io_close(fd);
	free(fd);
	R_ClearExternalPtr(holder);
}

static SEXP new_holder(int **fd)
{
	SEXP holder = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizer(holder, close_descriptor);
	*fd = malloc(sizeof(**fd));
	if (!*fd)
		r_throw("call", -ENOMEM);
	**fd = -1;
	R_SetExternalPtrAddr(holder, *fd);
	UNPROTECT(1);
	return holder;
}

/* NULL where there is no such file. */
SEXP C_job_get_file(SEXP handle, SEXP name)
{
	static const char what[] = "read a file of";
	int *fd;
	uint64_t size = 0;
	const struct job *j = r_job(handle, what);
	SEXP holder = PROTECT(new_holder(&fd));
	*fd = job_file_open(job_directory(j), r_string(name), &size);
	SEXP value = R_NilValue;
	if (*fd >= 0) {
		value = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)size));
		r_job_check(handle, what,
			    file_read(*fd, RAW(value), (size_t)size));
		UNPROTECT(1);
	} else if (*fd != -ENOENT) {
		r_job_check(handle, what, *fd);
	}
	PROTECT(value);
	close_descriptor(holder);
	UNPROTECT(2);
	return value;
}

/* What job_file_list() finds, before it is R's. */
struct found {
	struct buf names; /* each with its end */
	struct buf sizes; /* as doubles */
};

static void release_found(SEXP holder)
{
	struct found *f = R_ExternalPtrAddr(holder);
	if (!f)
		return;
	buf_release(&f->names);
	buf_release(&f->sizes);
	free(f);
	R_ClearExternalPtr(holder);
}

static int note(void *arg, const char *name, uint64_t size)
{
	struct found *f = arg;
	double bytes = (double)size;
	int rc = buf_append(&f->names, name, strlen(name) + 1);
	return rc < 0 ? rc : buf_append(&f->sizes, &bytes, sizeof bytes);
}

static SEXP as_list(const struct found *f)
{
	static const char *titles[] = {"name", "size", ""};
	size_t n = f->sizes.len / sizeof(double);
	const char *name = (const char *)f->names.bytes;
	SEXP value = PROTECT(Rf_mkNamed(VECSXP, titles));
	SEXP names = Rf_allocVector(STRSXP, (R_xlen_t)n);
	SET_VECTOR_ELT(value, 0, names);
	for (size_t i = 0; i < n; i++, name += strlen(name) + 1)
		SET_STRING_ELT(names, (R_xlen_t)i,
			       Rf_mkCharCE(name, CE_NATIVE));
	SEXP sizes = Rf_allocVector(REALSXP, (R_xlen_t)n);
	SET_VECTOR_ELT(value, 1, sizes);
	if (n > 0)
		memcpy(REAL(sizes), f->sizes.bytes, f->sizes.len);
	UNPROTECT(1);
	return value;
}

/* list(name, size), in any order. */
SEXP C_job_files(SEXP handle)
{
	const struct job *j = r_job(handle, "read");
	SEXP holder = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
	R_RegisterCFinalizer(holder, release_found);
	struct found *f = malloc(sizeof(*f));
	if (!f)
		r_throw("call", -ENOMEM);
	buf_init(&f->names, SIZE_MAX);
	buf_init(&f->sizes, SIZE_MAX);
	R_SetExternalPtrAddr(holder, f);
	r_job_check(handle, "read", job_file_list(job_directory(j), note, f));
	SEXP value = PROTECT(as_list(f));
	release_found(holder);
	UNPROTECT(2);
	return value;
}
