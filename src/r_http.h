/*
 * The session's HTTP engine: an external pointer, made by http_handle() in
 * R/http.R, and anew in a fork.
 */
#ifndef POOL_R_HTTP_H
#define POOL_R_HTTP_H

#include "http.h"
#include "r_util.h"
#include "sign.h"

/* The engine of a handle of this process; throws otherwise. */
struct http *r_http_get(SEXP handle);

/* Takes list(name, key, token, sas, version) of strings or NULL; 0 or -errno of
 * sign_account_set(). */
int r_http_account(struct sign_account *a, SEXP fields);

/* Pointers to the strings, of R_alloc(). */
const char **r_http_lines(SEXP strings);

#endif
