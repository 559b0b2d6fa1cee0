/*
 * The head of a request as libcurl takes it: the headers asked for, those of
 * the moment (x-ms-date), and who it is from.
 */
#ifndef POOL_HEAD_H
#define POOL_HEAD_H

#include <time.h>

#include <curl/curl.h>

#include "sign.h"

/* Makes the list, which is the caller's to free, also on failure; it begins as
 * NULL. x-ms-date and x-ms-version are added where they are not given. 0, or
 * -errno: -EINVAL where a header is none. */
int head_make(const struct sign_account *a, const struct sign_what *asked,
	      time_t now, struct curl_slist **lines);

#endif
