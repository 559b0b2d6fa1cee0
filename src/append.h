/*
 * Sending one append blob, block by block. A failure leaves what is there by
 * then, and there is no digest of the whole.
 */
#ifndef POOL_APPEND_H
#define POOL_APPEND_H

#include "item.h"

/* Sends the next part, if one is due; as upload_next(). Blocks are no larger
 * than the account's version of the service takes. */
int append_next(struct item *it);

#endif
